package chat_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// asksAbout types /rootbot and returns the answer.
func (o *office) asksAbout(who slacktest.User, text string) string {
	o.t.Helper()
	before := len(o.told(who))
	if said := o.commands(who, o.general, "/rootbot", text); said != "" {
		return said
	}
	return o.hears(who, before+1)
}

func TestRootbotTellsWhatThereIs(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	card := o.proposes(o.ada, ann)
	o.choice(card, ann)
	second := o.proposes(o.grace, bob)
	o.presses(o.grace, o.choice(second, bob), "withdraw")
	o.says(second, "Withdrawn")
	o.quietly()
	link := func(m slacktest.Message) string {
		return "archives/" + o.place.ID + "/p" + strings.ReplaceAll(m.TS, ".", "")
	}
	secret := []string{ann, bob, link(card), "archives/"}
	for _, test := range []struct {
		who       slacktest.User
		text      string
		says, not []string
	}{
		{o.ada, "", []string{"/let-go", "Let somebody go", "you may ask for it", "<#" + o.place.ID + ">", "/rootbot requests", "/rootbot history", "/rootbot whoami"}, secret},
		{o.ada, "help", []string{"you may ask for it"}, secret},
		{o.mallory, "", []string{"You can't ask for these (you are mallory on GitHub): `/let-go`.", "not a member of the team", admins}, secret},
		{o.nemo, "help", []string{"You can't ask for these: `/let-go`.", "don't know which GitHub login"}, secret},
		{o.ada, "requests", []string{"Open requests", "/let-go", ann, "ada", "Waiting", link(card)}, []string{bob}},
		{o.ada, "history", []string{ann, bob, link(card), link(second), "Withdrawn"}, nil},
		{o.ada, "history let-go", []string{ann, bob}, nil},
		{o.ada, "history /let-go", []string{ann, bob}, nil},
		{o.ada, "history grace", []string{bob}, []string{ann}},
		{o.ada, "history @grace", []string{bob}, []string{ann}},
		{o.ada, "history nobody", []string{"no operation and nobody called “nobody”", "let-go", "ada", "grace"}, []string{ann, bob}},
		{o.ada, "history %", []string{"nobody called “%”"}, []string{ann, bob}},
		{o.ada, "history _r_ce", []string{"nobody called “_r_ce”"}, []string{ann, bob}},
		{o.ada, "history <!channel>", []string{"nobody called", "<!channel>"}, nil},
		{o.ada, "whoami", []string{"You are ada on GitHub", "a member of the team", admins}, nil},
		{o.mallory, "whoami", []string{"You are mallory on GitHub", "not a member"}, secret},
		{o.nemo, "whoami", []string{"don't know which GitHub login"}, secret},
		{o.mallory, "requests", []string{"not a member"}, secret},
		{o.mallory, "history", []string{"not a member"}, secret},
		{o.nemo, "requests", []string{"don't know which GitHub login"}, secret},
		{o.nemo, "history let-go", []string{"don't know which GitHub login"}, secret},
		{o.ada, "dance <!channel>", []string{"There is no", "dance", "/rootbot requests"}, secret},
		{o.nemo, "requests all", []string{"There is no"}, secret},
	} {
		said := o.asksAbout(test.who, test.text)
		what := fmt.Sprintf("the answer to %s's /rootbot %s", test.who.Name, test.text)
		contains(t, what, said, test.says...)
		for _, words := range test.not {
			if strings.Contains(said, words) {
				t.Errorf("%s says %q:\n%s", what, words, said)
			}
		}
	}
	for _, who := range []slacktest.User{o.ada, o.mallory, o.nemo} {
		for _, m := range o.Ephemerals(who.ID) {
			if strings.Contains(m.Text, "<!") {
				t.Errorf("there is a mention in %q", m.Text)
			}
		}
	}
	if len(o.Messages(o.general.ID)) > 0 {
		t.Errorf("something public came of it:\n%s", o.story())
	}
	o.fine()
}

func TestRootbotAnswersWhereAnsweringFailsOnce(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	o.Fail("response_url", slacktest.Fault{Status: 500})
	contains(t, "the answer", o.asksAbout(o.ada, "whoami"), "You are ada")
}

func TestALongHistoryIsListedInWholeLines(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	for i := range 20 {
		r := o.of(request.Refused)
		r.Operation, r.EndedAt, r.At = "let-go", time.Now(), time.Now().Add(time.Duration(i)*time.Millisecond)
		r.Plan = &ops.Plan{Target: fmt.Sprintf("person-%02d@example.com", i)}
		r.Reason = strings.Repeat("It is <so> long. ", 20)
		r = o.stored(o.desk.Store, r)
		if err := o.desk.Store.Sent(t.Context(), time.Now(), store.Delivery{Thread: r.ID, Place: store.CardPlace, Post: store.Post{Channel: o.place.ID, TS: "1700000000.000100"}}); err != nil {
			t.Fatal(err)
		}
	}
	said := o.asksAbout(o.ada, "history")
	whole := regexp.MustCompile(`^• <https://\S+\|/let-go> person-\d\d@example\.com by ada, .* UTC: ⛔ \*Not run\* — `)
	lines := strings.Split(said, "\n")
	for _, line := range lines[1:] {
		if !whole.MatchString(line) && !strings.Contains(line, "more") {
			t.Errorf("there is the line %q", line)
		}
	}
	if len(lines) < 21 && !strings.Contains(said, "more") {
		t.Errorf("%d of 20 requests are listed, and nobody is told of the others", len(lines)-1)
	}
}

func TestAnybodyInTheChannelMayAskWhereThatIsSet(t *testing.T) {
	t.Parallel()
	o := build(t, slacktest.Options{})
	c := &crew{}
	terms := request.DefaultTerms()
	terms.Place, terms.Requesters, terms.Approval = "reliability-eng", request.ByPlace, ops.Rule{Count: 1}
	o.terms = map[string]request.Terms{"let-go": terms}
	guest := o.AddUser(slacktest.User{ID: "U0GUEST", RealName: "Guest", Restricted: true})
	single := o.AddUser(slacktest.User{ID: "U0SINGLE", RealName: "Single", UltraRestricted: true})
	robot := o.AddUser(slacktest.User{ID: "U0ROBOT", RealName: "Robot", Bot: true})
	alien := o.AddUser(slacktest.User{ID: "U0ALIEN", RealName: "Alien", TeamID: "T0ELSEWHERE", Stranger: true})
	gone := o.AddUser(slacktest.User{ID: "U0GONE", RealName: "Gone"})
	outside := o.AddUser(slacktest.User{ID: "U0OUTSIDE", RealName: "Outside"})
	o.Invite(o.general.ID, guest.ID)
	o.Invite(o.place.ID, guest.ID, single.ID, robot.ID, alien.ID, gone.ID, outside.ID)
	o.begin(c.letGo())
	for _, no := range []struct {
		who  slacktest.User
		says string
	}{{guest, "Guests may not"}, {single, "Guests may not"}, {robot, "Bots may not"}, {alien, "not of the workspace"}} {
		// Before anything is filled in.
		o.commands(no.who, o.place, "/let-go", ann)
		contains(t, no.who.Name+"'s answer", o.hears(no.who, 1), no.says)
		if n := len(o.Views(no.who.ID)) + len(o.requests()); n > 0 {
			t.Errorf("%d forms and requests of %s", n, no.who.Name)
		}
	}
	for _, fall := range []struct {
		who  slacktest.User
		says string // empty: nobody can be told
		late func() // once the form is open
	}{
		{gone, "", func() { o.AddUser(slacktest.User{ID: gone.ID, Name: gone.Name, Deleted: true}) }},
		{outside, "Only members of #reliability-eng", func() { o.Kick(o.place.ID, outside.ID) }},
	} {
		before := len(o.requests())
		o.commands(fall.who, o.place, "/let-go", ann)
		view := o.form(fall.who)
		values := map[string]slacktest.Value{"reason": slacktest.Text("x"), "confirmed": slacktest.Pick("yes")}
		if fall.who.ID == gone.ID {
			// The account is closed while the form is on its way.
			o.SetDelay("users.info", 300*time.Millisecond)
		} else {
			fall.late()
		}
		if _, err := o.Submit(t.Context(), fall.who.ID, view.ID, values); err != nil {
			t.Fatalf("%s: %v", fall.who.Name, err)
		}
		if fall.who.ID == gone.ID {
			fall.late()
		}
		o.wait(fall.who.Name+" refused", func() bool { l := o.requests(); return len(l) == before+1 && l[before].State.Ended() })
		o.SetDelay("users.info", 0)
		r := o.requests()[before]
		if r.State != request.Refused {
			t.Errorf("%s: it is %s: %s", fall.who.Name, r.State, r.Reason)
		}
		if fall.says != "" {
			// Who isn't in the channel can be told by direct message only.
			said := func() []slacktest.Message { return append(o.Ephemerals(fall.who.ID), o.Direct(fall.who.ID)...) }
			o.wait(fall.who.Name+" told", func() bool { return len(said()) > 0 })
			contains(t, fall.who.Name+"'s answer", said()[0].PlainText(), fall.says)
		}
	}
	if n := len(o.Messages(o.place.ID)) + len(o.cards()); n != 0 {
		t.Errorf("%d public messages came of refusals:\n%s", n, o.story())
	}
	// A full member with no login may ask, and may not decide.
	card := o.proposes(o.nemo, ann)
	choice := o.choice(card, ann)
	text := o.again(card).PlainText()
	contains(t, "the card", text, "<@U0NEMO>", ann)
	if strings.Contains(text, "slack.U0NEMO") {
		t.Errorf("the card names nobody's login:\n%s", text)
	}
	contains(t, "what nemo may", o.asksAbout(o.nemo, ""), "you may ask for it")
	contains(t, "what guests may", o.asksAbout(guest, "help"), "Guests may not", "You can't ask for these")
	o.presses(o.nemo, choice, "approve")
	contains(t, "nemo's answer", o.hears(o.nemo, 2), "don't know which GitHub login")
	o.presses(o.nemo, choice, "withdraw")
	text = o.says(card, "Withdrawn").PlainText()
	if strings.Contains(text, "slack.U0NEMO") {
		t.Errorf("the card calls somebody slack.U0NEMO:\n%s", text)
	}
	if said := o.asksAbout(o.ada, "history"); strings.Contains(said, "slack.U0NEMO") || !strings.Contains(said, "<@U0NEMO>") {
		t.Errorf("the history doesn't name who asked as people do:\n%s", said)
	}
	o.wait("nemo told how it ended", func() bool { return len(o.Direct(o.nemo.ID)) == 1 })
}

// A refusal was said to one person; others read that there was one.
func TestHistoryTellsARefusalInTheThirdPerson(t *testing.T) {
	t.Parallel()
	o := start(t, tidy(work))
	o.types(o.mallory, o.lobby, "")
	o.hears(o.mallory, 1)
	said := o.asksAbout(o.ada, "history")
	contains(t, "the history", said, "/tidy-up", "by mallory", "⛔", "Refused", "mallory couldn't ask for it")
	if strings.Contains(said, "Your") || strings.Contains(said, "not a member") {
		t.Errorf("what was said to mallory is quoted:\n%s", said)
	}
}

func TestAStateIsCutAtTheEndOfAWord(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	r := o.of(request.Failed)
	r.EndedAt, r.Reason = time.Now(), strings.Repeat("unbreakable ", 40)
	o.stored(o.desk.Store, r)
	if said := o.asksAbout(o.ada, "history"); !strings.HasSuffix(strings.TrimSpace(said), "unbreakable …") {
		t.Errorf("the history says\n%s", said)
	}
}

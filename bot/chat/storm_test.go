package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/crowdtest"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/store"
)

// stormy is an office whose bot keeps one person's storm from the others.
func stormy(t *testing.T) *office {
	t.Helper()
	o := build(t, slacktest.Options{})
	o.storms = true
	o.begin(tidy(work))
	return o
}

// storms has people type a command so often, one after the other.
func (o *office) storm(times int, people ...slacktest.User) (answers map[string]int) {
	o.t.Helper()
	answers = map[string]int{}
	for i := range times {
		answers[o.types(people[i%len(people)], o.home, "")]++
	}
	return answers
}

// refusals are the record's events of that kind, by one person or by all.
func (o *office) refusals(by string) []request.Event {
	o.t.Helper()
	events, err := o.desk.Store.Events(o.t.Context(), "")
	if err != nil {
		o.t.Fatal(err)
	}
	var list []request.Event
	for _, e := range events {
		if e.Kind == "refused" && (e.By == by || by == "") {
			list = append(list, e)
		}
	}
	return list
}

func TestStrangersStormsDontDelayAMember(t *testing.T) {
	t.Parallel()
	o := stormy(t)
	people := []slacktest.User{o.mallory, o.nemo}
	for i := range 28 {
		who := o.AddUser(slacktest.User{ID: fmt.Sprintf("U0STRANGER%02d", i)})
		o.Invite(o.home.ID, who.ID)
		people = append(people, who)
	}
	before := len(o.gh.Calls())
	first := time.Now()
	o.storm(300, people...)
	minutes := 1 + int(time.Since(first)/time.Minute)
	begun := crowdtest.Given()
	o.types(o.ada, o.home, "octocat")
	for len(o.cards()) == 0 && crowdtest.Given()-begun < 2*time.Second {
		patiently(100*time.Millisecond, 10*time.Millisecond, func() bool { return len(o.cards()) > 0 })
	}
	if len(o.cards()) == 0 {
		t.Errorf("a member has no card after 2 seconds of a storm")
	}
	o.quietly()
	if n := len(o.gh.Calls()) - before; n > 60 {
		t.Errorf("GitHub was asked %d times", n)
	}
	if n := len(o.requests()); n > minutes*len(people)*3/2 {
		t.Errorf("%d requests of %d strangers are stored in %d minutes", n, len(people), minutes)
	}
	o.fine()
}

func TestOnePersonsStormIsOneRecord(t *testing.T) {
	t.Parallel()
	o := stormy(t)
	for _, test := range []struct {
		name, by, says string
		who            slacktest.User
	}{
		{"a person who isn't in the team", "slack:" + o.TeamID + "/" + o.mallory.ID, "not a member of the team", o.mallory},
		{"a person whom the bot doesn't know", "slack:" + o.TeamID + "/" + o.nemo.ID, "don't know which GitHub login", o.nemo},
	} {
		calls := len(o.gh.Calls())
		o.types(test.who, o.home, "")
		o.wait("refused: "+test.name, func() bool { return len(o.told(test.who)) > 0 })
		answers := o.storm(300, test.who)
		if len(answers) > 2 || answers[""] > 0 {
			t.Errorf("%s is answered %v", test.name, answers)
		}
		for answer := range answers {
			if !strings.Contains(answer, test.says) && !strings.Contains(answer, "more than the bot takes from one person") {
				t.Errorf("%s is answered %q", test.name, answer)
			}
		}
		if n := len(o.gh.Calls()) - calls; n > 2 {
			t.Errorf("%s costs %d calls of GitHub", test.name, n)
		}
	}
	o.leave()
	s, err := store.Open(t.Context(), o.address, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	events, err := s.Events(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for _, e := range events {
		if reason := fmt.Sprint(e.Data["reason"]); strings.Contains(reason, "That was the answer 300 times within a minute.") {
			counted++
		}
	}
	if counted != 2 || len(events) > 20 {
		t.Errorf("the record has %d of 2 counts among %d events", counted, len(events))
	}
}

func TestAStormOfClicksIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	o := build(t, slacktest.Options{})
	o.storms = true
	o.meet(new(crew))
	m := o.choice(o.proposes(o.ada, ann), ann)
	r := o.requests()[0].ID
	calls := len(o.gh.Calls())
	for i := range 200 {
		o.sends("interactive", o.pressed(o.mallory, m, "approve", fmt.Sprint("storm ", i)))
	}
	o.quietly()
	if n := len(o.gh.Calls()) - calls; n > 60 {
		t.Errorf("GitHub was asked %d times", n)
	}
	if n := len(o.refusals("")); n > 45 {
		t.Errorf("the record has %d refusals", n)
	}
	if now, err := o.desk.Store.Request(t.Context(), r); err != nil || now.State != request.Waiting {
		t.Errorf("the request is %s, %v", now.State, err)
	}
	// A member who decides isn't held up.
	o.sends("interactive", o.pressed(o.grace, m, "approve", "grace's own"))
	o.wait("approved", func() bool {
		now, err := o.desk.Store.Request(t.Context(), r)
		return err == nil && now.State != request.Waiting
	})
}

func TestAMemberIDFromElsewhereLocksNobodyOut(t *testing.T) {
	t.Parallel()
	o := stormy(t)
	for i := range 60 {
		o.sends("slash_commands", map[string]any{"command": "/tidy-up", "team_id": "T0ELSEWHERE", "user_id": o.ada.ID, "channel_id": o.home.ID, "trigger_id": fmt.Sprint("far ", i)})
	}
	if said := o.types(o.ada, o.home, ""); said != "" {
		t.Errorf("ada is told %q", said)
	}
	o.card("Done")
}

// To know a person doesn't mean that they are in the team.
func TestAStormOfPeopleWhomGitHubCallsNoMembersCostsItLittle(t *testing.T) {
	t.Parallel()
	o := build(t, slacktest.Options{})
	o.storms = true
	var people []slacktest.User
	for i := range 20 {
		who := o.AddUser(slacktest.User{ID: fmt.Sprintf("U0OUTSIDER%02d", i)})
		o.Invite(o.home.ID, who.ID)
		o.gh.AddToOrganization(fmt.Sprintf("outsider-%d", i))
		people = append(people, who)
	}
	o.setUp = func(d *bot.Desk) {
		for i, who := range people {
			d.Team.Identities[who.ID] = fmt.Sprintf("outsider-%d", i)
		}
	}
	o.begin(tidy(work))
	o.storm(len(people), people...)
	o.wait("all were refused", func() bool { return len(o.refusals("")) == len(people) })
	for range 3 {
		o.ahead.Add(int64(31 * time.Second))
		calls := len(o.gh.Calls())
		answers := o.storm(len(people), people...)
		o.quietly()
		if n := len(o.gh.Calls()) - calls; n > 22 {
			t.Errorf("GitHub was asked %d times", n)
		}
		turned := 0
		for answer, times := range answers {
			if strings.Contains(answer, "who were no members of the team a moment ago") {
				turned += times
			}
		}
		if turned < 9 {
			t.Errorf("%d are turned away: %v", turned, answers)
		}
	}
	if said := o.types(o.ada, o.home, ""); said != "" {
		t.Errorf("ada is told %q", said)
	}
	o.card("Done")
	// Long after, they are looked up as ever.
	o.ahead.Add(int64(11 * time.Minute))
	if said := o.types(people[0], o.home, ""); strings.Contains(said, "a moment ago") {
		t.Errorf("ten minutes later one is told %q", said)
	}
}

// Forms and questions cost no more than commands.
func TestOnePersonsStormOfQuestionsAndFormsIsOneRecord(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := build(t, slacktest.Options{})
	o.storms = true
	o.meet(c)
	for _, test := range []struct {
		command, text string
		who           slacktest.User
	}{{"/let-go", "", o.mallory}, {"/rootbot", "requests", o.nemo}} {
		asked, calls, told := o.Count("users.info"), len(o.gh.Calls()), len(o.told(test.who))
		// Those that come before the first is answered are looked up as it is.
		o.commands(test.who, o.place, test.command, test.text)
		o.wait("refused: "+test.command, func() bool { return len(o.told(test.who)) > told })
		for range 37 {
			o.commands(test.who, o.place, test.command, test.text)
		}
		o.wait("told: "+test.command, func() bool { return len(o.told(test.who)) >= told+38 })
		if n := o.Count("users.info") - asked; n > 16 {
			t.Errorf("38 commands %s %s ask users.info %d times", test.command, test.text, n)
		}
		if n := len(o.gh.Calls()) - calls; n > 15 {
			t.Errorf("38 commands %s %s cost %d calls of GitHub", test.command, test.text, n)
		}
		if n := len(o.refusals("slack:" + o.TeamID + "/" + test.who.ID)); n > 10 {
			t.Errorf("38 commands %s %s are %d records", test.command, test.text, n)
		}
	}
}

func TestStrangersQuestionsLeaveSlacksAnswersToMembers(t *testing.T) {
	t.Parallel()
	o := stormy(t)
	var people []slacktest.User
	for i := range 100 {
		who := o.AddUser(slacktest.User{ID: fmt.Sprintf("U0STRANGER%02d", i)})
		o.Invite(o.home.ID, who.ID)
		people = append(people, who)
	}
	asked := o.Count("users.info")
	for _, who := range people {
		o.commands(who, o.home, "/rootbot", "whoami")
	}
	o.wait("told", func() bool { return len(o.told(people[99])) > 0 })
	o.quietly()
	if n := o.Count("users.info") - asked; n > 90 {
		t.Errorf("users.info is asked %d times for 100 strangers, and Slack answers it about 100 times a minute", n)
	}
}

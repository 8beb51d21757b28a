package chat_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
)

// letters are what the bot has written to somebody by themselves that says something.
func (o *office) letters(who slacktest.User, says string) (texts []string) {
	for _, m := range o.Direct(who.ID) {
		if strings.Contains(m.PlainText(), says) {
			texts = append(texts, m.PlainText())
		}
	}
	return texts
}

// What must not happen unheard reaches every known member, whatever becomes of the
// log channel.
func TestWhatIsLoudReachesTheMembersWhereTheLogChannelTakesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		close func(*office) (open func())
	}{
		{"it is archived", func(o *office) func() { o.Archive(o.home.ID, true); return func() { o.Archive(o.home.ID, false) } }},
		{"the bot was thrown out", func(o *office) func() {
			o.Kick(o.home.ID, o.BotUserID)
			return func() { o.Invite(o.home.ID, o.BotUserID) }
		}},
		{"Slack refuses every text of it", func(o *office) func() {
			return o.Refuse("chat.postMessage", "msg_too_long", func(args map[string]string) bool { return args["channel"] == o.home.ID })
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := emergency(t, &crew{})
			choice := o.sealed(o.proposes(o.ada, ann), ann)
			o.quietly()
			noFile := o.Refuse("files.getUploadURLExternal", "file_uploads_disabled", nil)
			open := test.close(o)
			o.presses(o.grace, choice, "break-glass")
			o.fills(o.grace, reason("Nobody is awake."))
			for _, who := range []slacktest.User{o.ada, o.grace, o.hedy} {
				o.wait(who.Name+" told", func() bool { return len(o.letters(who, "Break glass")) > 0 })
				contains(t, who.Name+"'s letter", o.letters(who, "Break glass")[0], "grace had", "/let-go", ann, "Nobody is awake.", "#aws-root-account takes no message", "/rootbot requests")
			}
			if n := len(o.letters(o.mallory, "Break glass")); n > 0 {
				t.Error("who isn't a member is told")
			}
			r := o.request()
			recorded := func() (to []string) {
				for _, line := range o.receipts(r.ID) {
					if strings.HasPrefix(line, "told message=letter") {
						to = append(to, strings.Fields(line)[2])
					}
				}
				slices.Sort(to)
				return slices.Compact(to)
			}
			o.wait("receipts of all", func() bool { return len(recorded()) >= 3 })
			want := []string{}
			for _, who := range []slacktest.User{o.ada, o.grace, o.hedy} {
				want = append(want, "to=slack:"+o.TeamID+"/"+who.ID)
			}
			same(t, "who is recorded as told of this request", want, recorded())
			open()
			noFile()
			if test.name != "Slack refuses every text of it" {
				o.waitFor("the notice in the channel", 60*time.Second, func() bool { return len(o.notices()) == 1 })
			}
			o.quietly()
			if n := len(o.letters(o.hedy, "Break glass")); n != 1 {
				t.Errorf("hedy is told %d times", n)
			}
		})
	}
}

// tells has the desk's loud messages about a request delivered.
func (o *office) tells(kind string, r request.Request, body request.Body) {
	o.t.Helper()
	m := request.Message{Thread: kind + "/" + r.ID, Request: r.ID, Kind: kind, Body: body}
	if err := o.desk.Store.Tell(o.t.Context(), request.Change{Messages: []request.Message{m}}); err != nil {
		o.t.Fatal(err)
	}
	o.quietly()
}

func TestWhatRanAloneIsBroughtToMindUntilItWasLookedAt(t *testing.T) {
	t.Parallel()
	o := emergency(t, &crew{})
	card := o.proposes(o.ada, ann)
	o.presses(o.grace, o.sealed(card, ann), "break-glass")
	o.fills(o.grace, reason("Now."))
	o.notice("Done")
	o.quietly()
	r := o.request()
	o.tells(request.GlassDue, r, request.Body{})
	list := o.cards()
	reminder := list[len(list)-1]
	contains(t, "the reminder", reminder.PlainText(), "🚨", "not been looked at yet", "<@U0HEDY>", "/let-go", ann, "Now.", o.link(card))
	if strings.Contains(strings.Split(reminder.PlainText(), "🚨")[0], "U0GRACE") {
		t.Errorf("who had it run alone is reminded:\n%s", reminder.PlainText())
	}
	o.presses(o.hedy, reminder, "reviewed")
	o.fills(o.hedy, reason("Needed."))
	o.says(reminder, "looked at by <@U0HEDY>")
	o.quietly()
	if b := labels(o.again(reminder)); len(b) > 0 {
		t.Errorf("the reminder still has the buttons %q", b)
	}
	before := len(o.cards())
	o.tells(request.GlassDue, o.request(), request.Body{})
	if len(o.cards()) != before {
		t.Errorf("what was looked at is brought to mind:\n%s", o.story())
	}
	o.fine()
}

func TestARestoreIsAnnouncedToWhoWantedIt(t *testing.T) {
	t.Parallel()
	o := emergency(t, &crew{grace: true})
	card := o.proposes(o.ada, ann)
	o.presses(o.grace, o.sealed(card, ann), "approve")
	o.buttons(card, "Restore", "undo")
	o.quietly()
	r, err := o.desk.Store.Update(t.Context(), o.request().ID, func(r *request.Request) (request.Change, error) {
		r.Restoring = &request.Review{By: "hedy", User: "U0HEDY", At: time.Now(), Reason: "The wrong Ann."}
		return request.Change{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	o.tells(request.Restore, r, request.Body{Text: "give the badge of " + ann + " back"})
	list := o.cards()
	said := list[len(list)-1]
	contains(t, "the announcement", said.PlainText(), "<!channel>", "↩️ <@U0HEDY> (hedy) is restoring "+ann, "which <@U0GRACE> (grace) approved", "The wrong Ann.", "<@U0ADA>", "give the badge of "+ann+" back", o.link(card))
	if said.ThreadTS != "" {
		t.Error("it is hidden in a thread")
	}
	o.Archive(o.home.ID, true)
	m := request.Message{Thread: "restore/2", Request: r.ID, Kind: request.Restore, Body: request.Body{Text: "open the door"}}
	if err := o.desk.Store.Tell(t.Context(), request.Change{Messages: []request.Message{m}}); err != nil {
		t.Fatal(err)
	}
	o.wait("grace told", func() bool { return len(o.letters(o.grace, "open the door")) == 1 })
	contains(t, "grace's letter", o.letters(o.grace, "open the door")[0], "hedy is restoring "+ann, "which grace approved")
}

// What nobody had asked for calls the members of the team, first and loudly.
func TestAnAlarmCallsTheMembers(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{})
	r := requestIn(request.Failed, func(r *request.Request) { r.ID, r.Report, r.Reason = "", alarming(2), "Not tidy." })
	r.Operation, r.Asker.Workspace, r.Asker.Channel = "let-go", o.TeamID, o.home.ID
	o.stored(o.desk.Store, r, request.Card, request.Result)
	o.quietly()
	logged := o.cards()[0]
	thread := o.thread(logged)
	text := thread[len(thread)-1].PlainText()
	contains(t, "the result", text, "🚨 2 boxes were taken away", "<@U0ADA>", "<@U0GRACE>", "<@U0HEDY>", "❌", "🚨 box 1", "❓ box 0")
	if !strings.HasPrefix(text, "🚨 2 boxes") || strings.Contains(text, "U0MALLORY") {
		t.Errorf("the result is\n%s", text)
	}
}

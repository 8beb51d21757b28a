package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// pressed is a click on a message's button as Slack sends it, in the name of
// anybody; trigger tells it from every other click.
func (o *office) pressed(who slacktest.User, m slacktest.Message, action, trigger string) map[string]any {
	o.t.Helper()
	for _, b := range o.again(m).Buttons() {
		if b.ActionID == action {
			return o.made(who, m, action, b.Value, trigger)
		}
	}
	o.t.Fatalf("there is no button %q:\n%s", action, o.story())
	return nil
}

// made is a click on a button that was made up.
func (o *office) made(who slacktest.User, m slacktest.Message, action, value, trigger string) map[string]any {
	return map[string]any{
		"type": "block_actions", "team": map[string]any{"id": o.TeamID}, "user": map[string]any{"id": who.ID, "team_id": o.TeamID},
		"trigger_id": trigger, "channel": map[string]any{"id": m.Channel}, "message": map[string]any{"ts": m.TS},
		"actions": []any{map[string]any{"type": "button", "action_id": action, "block_id": "decide", "value": value, "action_ts": "1772452800.000100"}},
	}
}

// sends sends a payload and complains where it isn't acknowledged.
func (o *office) sends(kind string, payload map[string]any) slacktest.Ack {
	o.t.Helper()
	ack, err := o.Send(o.t.Context(), kind, payload)
	if err != nil {
		o.t.Fatal(err)
	}
	return ack
}

func TestWhoamiSaysHowSomebodyIsKnown(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{}, func(r *registry) {
		r.AddUser(slacktest.User{ID: "U0SAM", Name: "sam", Email: "Sam@example.com"})
		r.AddUser(slacktest.User{ID: "U0SUE", Name: "sue", Email: "sue@example.com"})
		r.AddUser(slacktest.User{ID: "U0FAR", Name: "far", Email: "sam@elsewhere.example"})
		r.gh.AddOwner("reader")
		r.gh.AddToken("ghp_reader", "reader", "read:org")
		r.gh.AddMember(admins, "sam")
		r.gh.AddExternalIdentity("sam@example.com", "sam")
		linking := r.setUp
		r.setUp = func(d *bot.Desk) {
			linking(d)
			d.Team.SAML = team.SAML{URL: r.gh.URL() + "graphql", Domains: []string{"example.com"}}
		}
	})
	r.links(r.nemo, "nemo")
	r.links(r.olga, "stray")
	for _, test := range []struct {
		name string
		who  slacktest.User
		says []string
	}{
		{"by the settings", r.ada, []string{"You are ada on GitHub, by the bot's settings, and a member of the team", admins}},
		{"by the settings, and no member", r.mallory, []string{"You are mallory on GitHub, by the bot's settings.", "not a member of the team"}},
		{"by a link", r.nemo, []string{"You are nemo on GitHub, by the link that you proved on " + time.Now().UTC().Format("2 Jan 2006") + ", and a member of the team"}},
		{"by a link, and no member", r.olga, []string{"You are stray on GitHub, by the link that you proved on ", "not a member of the team"}},
		{"by single sign-on", slacktest.User{ID: "U0SAM", Name: "sam"}, []string{"You are sam on GitHub, by the organisation's single sign-on, as sam@example.com, and a member of the team"}},
		{"by nothing: single sign-on doesn't know them", slacktest.User{ID: "U0SUE", Name: "sue"}, []string{"don't know which GitHub login you are", "/rootbot link"}},
		{"by nothing: an address of another domain is nobody's", slacktest.User{ID: "U0FAR", Name: "far"}, []string{"don't know which GitHub login you are"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			contains(t, "the answer", r.asksAbout(test.who, "whoami"), test.says...)
		})
	}
	// Whoever renames their account stays who they are.
	r.gh.RenameUser("nemo", "captain")
	contains(t, "who nemo is", r.asksAbout(r.nemo, "whoami"), "You are captain on GitHub", "a member of the team")
	r.fine()
}

func TestSlackIsAskedWhoSomebodyIsEachTime(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := meeting(t, c)
	asked := 0
	// again complains unless users.info was called since it was last looked at.
	again := func(what string) {
		t.Helper()
		o.wait("Slack asked at "+what, func() bool { return o.Count("users.info") > asked })
		o.quietly()
		asked = o.Count("users.info")
	}
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	again("a request")
	o.asksAbout(o.ada, "whoami")
	again("/rootbot whoami")
	o.asksAbout(o.ada, "requests")
	again("/rootbot requests")
	o.asksAbout(o.ada, "link")
	again("/rootbot link")
	o.asksAbout(o.ada, "unlink")
	again("/rootbot unlink")
	o.presses(o.mallory, choice, "approve")
	o.hears(o.mallory, 1)
	again("a click that is refused")
	o.presses(o.ada, choice, "approve")
	o.hears(o.ada, 5)
	again("another click")
	o.presses(o.hedy, choice, "reject")
	o.form(o.hedy)
	again("a click that opens a form")
	o.fills(o.hedy, map[string]slacktest.Value{"reason": slacktest.Text("No.")})
	o.says(card, "Not run")
	again("a form")
	second := o.proposes(o.ada, bob)
	choice = o.choice(second, bob)
	again("a second request")
	o.presses(o.ada, choice, "withdraw")
	o.says(second, "Withdrawn")
	again("a withdrawal by who asked")
	o.fine()
}

func TestSlackIsGivenTheTimeThatItAsksFor(t *testing.T) {
	t.Parallel()
	c := &crew{}
	o := meeting(t, c)
	wait := slacktest.Fault{RetryAfter: time.Second}
	o.Fail("users.info", wait, wait)
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	o.Fail("users.info", wait)
	o.presses(o.grace, choice, "approve")
	o.says(card, "Done")
	o.Fail("users.info", wait)
	contains(t, "who ada is", o.asksAbout(o.ada, "whoami"), "You are ada")
	if told := o.told(o.grace); len(told) > 0 {
		t.Errorf("grace is told %q", told)
	}
	// Whoever calls again too early makes a problem.
	o.fine()
}

func TestWhomSlackDoesntDescribeMayNothing(t *testing.T) {
	t.Parallel()
	for _, fault := range []slacktest.Fault{{Error: "user_not_found"}, {Error: "internal_error"}, {Status: 503}, {Error: "user_not_visible"}} {
		t.Run(fmt.Sprintf("at a command: %s%d", fault.Error, fault.Status), func(t *testing.T) {
			t.Parallel()
			o := start(t, tidy(work))
			o.Fail("users.info", fault)
			o.types(o.ada, o.lobby, "")
			contains(t, "the answer", o.hears(o.ada, 1), "Slack didn't say who you are", "othing", "Try again")
			if r := o.request(); r.State != request.Refused || len(o.cards()) > 0 {
				t.Errorf("it is %s:\n%s", r.State, o.story())
			}
			o.fine()
		})
	}
	t.Run("at a click", func(t *testing.T) {
		t.Parallel()
		o := meeting(t, &crew{})
		choice := o.choice(o.proposes(o.ada, ann), ann)
		o.Fail("users.info", slacktest.Fault{Error: "internal_error"})
		o.presses(o.grace, choice, "approve")
		contains(t, "the answer", o.hears(o.grace, 1), "Slack didn't say who you are", "othing")
		o.Fail("users.info", slacktest.Fault{Error: "internal_error"}, slacktest.Fault{Error: "internal_error"})
		o.presses(o.grace, choice, "withdraw")
		o.fills(o.grace, reason("Not now."))
		contains(t, "the answer", o.hears(o.grace, 2), "Slack didn't say who you are", "othing")
		if r := o.request(); r.State != request.Waiting || len(r.Reviews) > 0 || len(o.recorded("refused")) != 2 {
			t.Errorf("it is %s with %d approvals", r.State, len(r.Reviews))
		}
		o.fine()
	})
	t.Run("about themselves", func(t *testing.T) {
		t.Parallel()
		o := start(t, tidy(work))
		for _, what := range []string{"whoami", "requests", "unlink"} {
			o.Fail("users.info", slacktest.Fault{Error: "internal_error"})
			contains(t, "the answer to "+what, o.asksAbout(o.ada, what), "Slack didn't say who you are")
		}
	})
}

// changes of somebody who may into somebody who may not.
var falls = []struct {
	name string
	into slacktest.User
	says string // to them
	of   string // to others
}{
	{"deactivated", slacktest.User{Deleted: true}, "deactivated", "has a deactivated Slack account"},
	{"a guest", slacktest.User{Restricted: true}, "Guests may not", "is a guest"},
	{"a guest of one channel", slacktest.User{UltraRestricted: true}, "Guests may not", "is a guest"},
	{"of another workspace", slacktest.User{TeamID: "T0ELSEWHERE", Stranger: true}, "not of the workspace", "is not of the workspace"},
}

// becomes changes what Slack says of somebody.
func (o *office) becomes(who, into slacktest.User) {
	into.ID, into.Name, into.RealName = who.ID, who.Name, who.RealName
	o.AddUser(into)
}

func TestWhoIsNoMemberOfTheWorkspaceAnyMoreDecidesNothing(t *testing.T) {
	t.Parallel()
	for _, fall := range falls {
		t.Run(fall.name, func(t *testing.T) {
			t.Parallel()
			c := &crew{}
			o := meeting(t, c)
			card := o.proposes(o.ada, ann)
			choice := o.choice(card, ann)
			o.becomes(o.grace, fall.into)
			for i, action := range []string{"approve", "withdraw"} {
				o.sends("interactive", o.pressed(o.grace, choice, action, action))
				o.wait("refused", func() bool { return len(o.recorded("refused")) == i+1 })
			}
			for _, e := range o.recorded("refused") {
				if e.By != "slack:"+o.TeamID+"/U0GRACE" || e.Request == "" {
					t.Errorf("recorded is %+v", e)
				}
				contains(t, "the reason", fmt.Sprint(e.Data["reason"]), fall.says)
			}
			// Who asked may withdraw only as one of the workspace.
			o.becomes(o.ada, fall.into)
			o.sends("interactive", o.pressed(o.ada, choice, "withdraw", "hers"))
			o.wait("refused", func() bool { return len(o.recorded("refused")) == 3 })
			if r := o.request(); r.State != request.Waiting || len(r.Reviews) > 0 || c.runs(ann) != 0 {
				t.Errorf("it is %s with %d approvals", r.State, len(r.Reviews))
			}
			if !fall.into.Deleted {
				contains(t, "grace's answer", o.hears(o.grace, 1), fall.says, "othing")
			}
		})
	}
}

func TestWhatSomebodyAskedWhoIsNoMemberAnyMoreIsNotRun(t *testing.T) {
	t.Parallel()
	for _, fall := range falls {
		t.Run(fall.name, func(t *testing.T) {
			t.Parallel()
			c := &crew{}
			o := meeting(t, c)
			card := o.proposes(o.ada, ann)
			choice := o.choice(card, ann)
			o.becomes(o.ada, fall.into)
			o.presses(o.grace, choice, "approve")
			contains(t, "the card", o.says(card, "Not run").PlainText(), "The requester ada "+fall.of)
			if c.runs(ann) != 0 {
				t.Error("it ran")
			}
		})
	}
}

func TestACardSaysWhomARefusalIsAbout(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{words: ops.Plan{Approval: ops.Rule{Count: 2}}})
	card := o.proposes(o.ada, ann)
	choice := o.choice(card, ann)
	o.presses(o.grace, choice, "approve")
	o.says(choice, "Approved by")
	o.becomes(o.grace, slacktest.User{Restricted: true})
	o.presses(o.hedy, choice, "approve")
	contains(t, "the card", o.says(card, "Not run").PlainText(), "The approver grace is a guest in the workspace.")
}

// A form may stand open for an hour.
func TestWhoBecomesAGuestBeforeTheFormIsSentIsRefused(t *testing.T) {
	t.Parallel()
	o := meeting(t, &crew{}, func(op *ops.Operation, _ *request.Terms) { op.Dangerous = true })
	choice := o.choice(o.proposes(o.ada, ann), ann)
	o.presses(o.grace, choice, "approve")
	o.form(o.grace)
	o.becomes(o.grace, slacktest.User{Restricted: true})
	o.fills(o.grace, map[string]slacktest.Value{"name": slacktest.Text(ann)})
	contains(t, "grace's answer", o.hears(o.grace, 1), "Guests may not", "othing")
	if r := o.request(); r.State != request.Waiting {
		t.Errorf("it is %s", r.State)
	}
	o.fine()
}

func TestWhoamiDoesntSayThatNothingWasDone(t *testing.T) {
	t.Parallel()
	r := registers(t, githubtest.Options{})
	for _, said := range []string{r.links(r.nemo, "stray"), r.asksAbout(r.nemo, "whoami"), r.asksAbout(r.mallory, "whoami")} {
		if strings.Contains(said, "othing was changed") || !strings.Contains(said, "not a member of the team") {
			t.Errorf("the answer is %q", said)
		}
	}
}

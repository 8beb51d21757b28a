package chat_test

import (
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/team"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// guarded is a meeting about something dangerous, where who decides must have signed in
// to GitHub within ten minutes, and grace may have it run alone.
func guarded(t *testing.T, c *crew, dangerous bool) *registry {
	t.Helper()
	r := &registry{office: build(t, slacktest.Options{})}
	r.onGitHub(githubtest.Options{DeviceInterval: time.Second})
	app := r.gh.AddApp(githubtest.App{Slug: "rootbot", PublicKey: lock()})
	r.setUp = func(d *bot.Desk) {
		d.Team.Links, d.Team.Device = d.Store, team.Device{ClientID: app.ClientID, URL: r.gh.URL()}
		d.FreshProof, d.BreakGlass = 10*time.Minute, []string{"grace"}
	}
	r.meet(c, func(op *ops.Operation, _ *request.Terms) { op.Dangerous = dangerous })
	return r
}

// signsIn types /rootbot prove, and the code at GitHub as a login. It returns what the
// person reads.
func (r *registry) signsIn(who slacktest.User, login string) string {
	r.t.Helper()
	before := len(r.told(who))
	if said := r.commands(who, r.general, "/rootbot", "prove"); said != "" {
		r.t.Fatalf("the ack says %q", said)
	}
	r.hears(who, before+1)
	codes := r.gh.Codes()
	r.authorizes(codes[len(codes)-1], login)
	return r.hears(who, before+2)
}

func TestWhoApprovesWhatIsDangerousSignsInAnew(t *testing.T) {
	t.Parallel()
	c := &crew{}
	r := guarded(t, c, true)
	card := r.proposes(r.ada, ann)
	choice := r.sealed(card, ann)

	r.presses(r.grace, choice, "approve")
	contains(t, "grace's answer", r.hears(r.grace, 1), "a new proof that you are grace on GitHub", "`/rootbot prove`", "within 10 minutes")
	if len(r.Views(r.grace.ID)) > 0 {
		t.Error("a form is open before grace, who would be refused")
	}
	contains(t, "what grace is told who signed in as hedy", r.signsIn(r.grace, "hedy"), "You are grace on GitHub here, and the code was typed in as hedy")
	r.presses(r.grace, choice, "approve")
	contains(t, "grace's answer", r.hears(r.grace, 4), "a new proof")

	contains(t, "what grace is told", r.signsIn(r.grace, "grace"), "You have proved that you are grace on GitHub", "press the button again")
	r.presses(r.grace, choice, "approve")
	r.fills(r.grace, map[string]slacktest.Value{"name": slacktest.Text(ann)})
	r.says(card, "Done")
	if n := c.runs(ann); n != 1 {
		t.Errorf("it ran %d times", n)
	}
	if proved := r.recorded("proved"); len(proved) != 1 || proved[0].By != "grace" {
		t.Errorf("recorded is %+v", proved)
	}
	r.fine()
}

func TestBreakingTheGlassNeedsASignInAndRejectingDoesNot(t *testing.T) {
	t.Parallel()
	c := &crew{}
	r := guarded(t, c, false)
	card := r.proposes(r.ada, ann)
	r.presses(r.grace, r.sealed(card, ann), "break-glass")
	contains(t, "grace's answer", r.hears(r.grace, 1), "a new proof that you are grace")
	r.presses(r.hedy, r.sealed(card, ann), "reject")
	r.fills(r.hedy, reason("No."))
	r.says(card, "Rejected")

	other := r.proposes(r.ada, bob)
	r.presses(r.hedy, r.sealed(other, bob), "approve") // nothing dangerous is in it
	r.says(other, "Done")
	if n := c.runs(bob); n != 1 {
		t.Errorf("it ran %d times", n)
	}
}

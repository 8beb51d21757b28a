package bot_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/team"
)

func TestThatTooFewCouldApproveIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		need  int
		known map[string]string
		links bool
		says  string // empty: nothing
		then  func(*house)
	}{
		{"enough are known", 1, map[string]string{"U1": "octocat", "U2": "hubot"}, true, "", nil},
		{
			"nothing is said of members about whom the chat doesn't answer", 1,
			map[string]string{"U1": "octocat", "U2": "hubot", "U4": "monalisa"},
			true, "",
			func(h *house) {
				h.becomes("U2", team.Person{})
				h.becomes("U4", team.Person{})
			},
		},
		{
			"one is a guest", 1,
			map[string]string{"U1": "octocat", "U2": "hubot"},
			false,
			"This needs 1 approval, and the bot knows no member who can approve. The bot doesn't know who in Slack is hubot or monalisa: " +
				"ask the operator of the bot to add them to its identities.",
			func(h *house) { h.becomes("U2", team.Person{Workspaces: []string{"T1"}, Guest: true}) },
		},
		{
			"a link waits to be confirmed", 2,
			map[string]string{"U1": "octocat", "U2": "hubot"},
			true,
			"This needs 2 approvals, and the bot knows 1 member who can approve: hubot. " +
				"monalisa has proved to have that GitHub account: another member must confirm the link in #aws-root-account.",
			func(h *house) { h.announced(h.proves("U4", "monalisa")) },
		},
		{
			"a link waits to be confirmed, and another member is unknown", 2,
			map[string]string{"U1": "octocat"},
			true,
			"This needs 2 approvals, and the bot knows no member who can approve. " +
				"monalisa has proved to have that GitHub account: another member must confirm the link in #aws-root-account. " +
				"The bot doesn't know who in Slack is hubot: ask them to type `/rootbot link`, or the operator of the bot to add them to its identities.",
			func(h *house) { h.announced(h.proves("U4", "monalisa")) },
		},
		{
			"nobody has confirmed a link in time", 2,
			map[string]string{"U1": "octocat", "U2": "hubot"},
			true,
			"This needs 2 approvals, and the bot knows 1 member who can approve: hubot. The bot doesn't know who in Slack is monalisa: " +
				"ask them to type `/rootbot link`, or the operator of the bot to add them to its identities.",
			func(h *house) {
				h.announced(h.proves("U4", "monalisa"))
				h.forward(24 * time.Hour)
			},
		},
		{
			"the requester counts for nothing", 1,
			map[string]string{"U1": "octocat"},
			true,
			"This needs 1 approval, and the bot knows no member who can approve. The bot doesn't know who in Slack is hubot or monalisa: " +
				"ask them to type `/rootbot link`, or the operator of the bot to add them to its identities.", nil,
		},
		{
			"one is known of two, and people can't link themselves", 2,
			map[string]string{"U1": "octocat", "U2": "hubot", "U3": "mallory"},
			false,
			"This needs 2 approvals, and the bot knows 1 member who can approve: hubot. The bot doesn't know who in Slack is monalisa: " +
				"ask the operator of the bot to add them to its identities.", nil,
		},
		{
			"all are known, and are too few", 3,
			map[string]string{"U1": "octocat", "U2": "hubot", "U3": "monalisa"},
			true,
			"This needs 3 approvals, and the bot knows 2 members who can approve: hubot, monalisa. The team ministryofjustice/aws-root-account-admin-team has no other member: add one on GitHub.", nil,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h, shelf := build(t), &shelf{plan: *planOf(1)}
			operation := shelf.operation()
			h.stand(noon)
			h.terms = map[string]request.Terms{operation.Name: demands(test.need)}
			h.settle = func(d *bot.Desk) {
				d.Team.Identities = test.known
				if test.links {
					d.Team.Device = team.Device{ClientID: "Iv23", URL: h.gh.URL()}
				}
			}
			h.begin(operation)
			if test.then != nil {
				test.then(h)
			}
			var said []string
			for _, m := range h.told(h.waiting().ID) {
				if m.Kind == request.Note {
					said = append(said, m.Body.Text)
				}
			}
			if want := slices.DeleteFunc([]string{test.says}, func(s string) bool { return s == "" }); !slices.Equal(said, want) {
				t.Errorf("the thread says %q, want %q", said, want)
			}
		})
	}
}

package chat_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/chat"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// sample reads an answer or a payload of Slack's on an Enterprise Grid: in the
// workspace T0HOMEWS1 of the organisation E0GRID001, which has T0OTHERWS as well.
func sample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "grid", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// samples are the names of those that match a pattern.
func samples(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "grid", pattern+".json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("there is no sample %s: %v", pattern, err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".json"))
	}
	return names
}

// newGrid is a bench on a Grid, where the otter is known to be ada.
func newGrid(t *testing.T, auth string) *bench {
	t.Helper()
	b := newBench(t, map[string]string{"auth.test": auth, "auth.teams.list": `{"ok":true,"teams":[{"id":"T0HOMEWS1","name":"Home"}]}`})
	t.Cleanup(func() { b.store.Close() })
	b.desk.Team.Identities = map[string]string{"U0OTTER01": "ada", "U0FOREIGN": "grace"}
	b.desk.Team.Links = b.store
	b.desk.Operations = append(b.desk.Operations, ponds(new([]string), new(error), func(now time.Time) time.Time { return now }))
	return b
}

// does has Slack hand over a payload while it says so of its user. It returns an
// error if that person is refused.
func (b *bench) does(t *testing.T, payload, person string) error {
	t.Helper()
	b.wire.reset()
	b.now, b.turns = b.now.Add(time.Minute), b.turns+1 // a refusal is remembered for half of that
	b.said["users.info"] = person
	payload = strings.ReplaceAll(payload, "111.222.xxx", b.trigger())
	waiting := shelf()[0]
	payload = strings.ReplaceAll(payload, "REQUEST:DIGEST", carried(waiting))
	kind := "interactive"
	if strings.Contains(payload, `"command"`) {
		kind = "slash_commands"
	}
	ack, known := b.chat.Take(t.Context(), kind, []byte(payload))
	if !known {
		t.Fatalf("the bot can't read %s", payload)
	}
	b.chat.Settle()
	requests, clicks := b.came(t)
	b.mu.Lock()
	views, answers := len(b.views), b.answers
	b.mu.Unlock()
	switch {
	case len(requests) == 1:
		_, err := b.desk.MayAsk(t.Context(), "let-go", requests[0].Asker)
		return err
	case len(clicks) == 1:
		_, err := b.desk.Member(t.Context(), clicks[0].Asker)
		return err
	case views == 1:
		return nil
	case len(answers) == 1:
		return &ops.Error{Kind: ops.Refused, What: answers[0].Text}
	}
	offered, ok := ack.(chat.Suggestion)
	if !ok || len(offered.Options) == 0 {
		t.Fatalf("nothing came of it; the ack is %+v", ack)
	}
	if offered.Options[0].Value != "p-1" {
		return &ops.Error{Kind: ops.Refused, What: offered.Options[0].Text.Text}
	}
	return nil
}

// TestEveryFullMemberOnAGridIsLetInAndNoStranger tries each shape of payload with
// each shape of what Slack says of a person.
func TestEveryFullMemberOnAGridIsLetInAndNoStranger(t *testing.T) {
	t.Parallel()
	payloads := slices.Concat(samples(t, "*.slash_command*"), samples(t, "*.block_actions*"), samples(t, "*.view_submission*"), samples(t, "*.block_suggestion*"))
	people := samples(t, "users.info.*")
	refused := func(name string) bool { return strings.HasSuffix(name, ".refused") }
	for _, token := range []string{"ws.auth.test", "org.auth.test.team-is-enterprise", "org.auth.test.team-null"} {
		t.Run(token, func(t *testing.T) {
			t.Parallel()
			b := newGrid(t, sample(t, token))
			for _, payload := range payloads {
				for _, person := range people {
					err := b.does(t, sample(t, payload), sample(t, person))
					if want := refused(payload) || refused(person); want != (err != nil) {
						t.Errorf("%s by %s: %v", payload, person, err)
					}
					if err != nil && (ops.KindOf(err) != ops.Refused || !strings.Contains(ops.Words(err, ""), "not of the workspace")) {
						t.Errorf("%s by %s is refused with %q", payload, person, ops.Words(err, ""))
					}
				}
			}
		})
	}
}

// person is a users.info answer about the otter, who is a full member but for what
// a test says.
func person(fields string) string {
	return `{"ok":true,"user":{"id":"U0OTTER01","name":"otter",` + fields + `}}`
}

func TestWhatSlackSaysOfAPersonDecides(t *testing.T) {
	t.Parallel()
	b := newGrid(t, sample(t, "ws.auth.test"))
	click := sample(t, "ws.block_actions.user-team-enterprise")
	const member = `"team_id":"T0OTHERWS","enterprise_user":{"id":"U0OTTER01","enterprise_id":"E0GRID001","teams":["T0OTHERWS","T0HOMEWS1"]}`
	for _, test := range []struct{ name, person, says string }{
		{"a member of two workspaces is let in", member, ""},
		{"a member whom Slack calls a stranger, for their home is another workspace of the Grid, is let in", member + `,"is_stranger":true`, ""},
		{"a member of whom only the newer list tells is let in", `"teams":["T0OTHERWS","T0HOMEWS1"]`, ""},
		{"a member whose lists are null is let in by their team", `"team_id":"T0HOMEWS1","teams":null,"enterprise_user":null`, ""},
		{"a stranger whom Slack doesn't call one is refused", `"team_id":"T0FOREIGN","is_stranger":false`, "not of the workspace"},
		{"a stranger of whom only their own Grid is told is refused", `"team_id":"E0FOREIGN"`, "not of the workspace"},
		{"a member of our Grid of whom no workspace is told is refused", `"team_id":"E0GRID001"`, "not of the workspace"},
		{"a stranger by Slack's word, against which no list speaks, is refused", `"team_id":"T0HOMEWS1","is_stranger":true`, "not of the workspace"},
		{"a guest is refused as a guest", member + `,"is_restricted":true`, "Guests may not"},
		{"a guest in a single channel is refused as a guest", member + `,"is_ultra_restricted":true`, "Guests may not"},
		{"a bot is refused as a bot", member + `,"is_bot":true`, "Bots may not"},
		{"a deactivated account is refused as one", member + `,"deleted":true`, "deactivated"},
		{"a deactivated account of which no workspace is told is refused as one", `"deleted":true`, "deactivated"},
		{"a person of whom no workspace is told is refused for that", `"is_admin":true`, "Slack doesn't say which workspaces you are a member of"},
		{"a person whose workspaces are empty is refused for that", `"team_id":"","teams":[],"enterprise_user":{"teams":[]}`, "Slack doesn't say which workspaces"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := b.does(t, click, person(test.person))
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error()+ops.Words(err, ""), test.says)) {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

func TestWhereSomethingWasPressedIsReadWithCare(t *testing.T) {
	t.Parallel()
	const member = `"team_id":"T0HOMEWS1"`
	grid, plain := newGrid(t, sample(t, "ws.auth.test")), newGrid(t, `{"ok":true,"team_id":"T0HOMEWS1","user":"rootbot"}`)
	for _, test := range []struct {
		name    string
		bench   *bench
		payload string // the fields that tell where
		served  bool
	}{
		{"in the workspace", plain, `"team":{"id":"T0HOMEWS1"},"user":{"id":"U0OTTER01","team_id":"T0HOMEWS1"},"enterprise":null`, true},
		{"in the workspace, without the user's team", plain, `"team":{"id":"T0HOMEWS1"},"user":{"id":"U0OTTER01"}`, true},
		{"by the user's team alone", plain, `"team":null,"user":{"id":"U0OTTER01","team_id":"T0HOMEWS1"}`, true},
		{"with a member's ID in another workspace", plain, `"team":{"id":"T0HOMEWS1"},"user":{"id":"U0OTTER01","team_id":"T0FOREIGN"}`, false},
		{"in another workspace", plain, `"team":{"id":"T0FOREIGN"},"user":{"id":"U0OTTER01"}`, false},
		{"in another workspace, with the user's team ours", plain, `"team":{"id":"T0FOREIGN"},"user":{"id":"U0OTTER01","team_id":"T0HOMEWS1"}`, false},
		{"nowhere", plain, `"team":null,"user":{"id":"U0OTTER01"}`, false},
		{"in a workspace that joined a Grid after the start", plain, `"team":{"id":"T0HOMEWS1"},"user":{"id":"U0OTTER01","team_id":"E0GRID001"},"enterprise":{"id":"E0GRID001"}`, true},
		{"in a Grid that isn't ours", plain, `"team":{"id":"T0FOREIGN"},"user":{"id":"U0OTTER01","team_id":"T0FOREIGN"},"enterprise":{"id":"E0FOREIGN"}`, false},
		{"in another workspace of the Grid", grid, `"team":{"id":"T0OTHERWS"},"user":{"id":"U0OTTER01","team_id":"T0OTHERWS"},"enterprise":{"id":"E0GRID001"}`, true},
		{"where only the workspace names its Grid", grid, `"team":{"id":"T0HOMEWS1","enterprise_id":"E0GRID001"},"user":{"id":"U0OTTER01","team_id":"T0OTHERWS"}`, true},
		{"without a Grid, with the user's team being ours", grid, `"team":{"id":"T0HOMEWS1"},"user":{"id":"U0OTTER01","team_id":"E0GRID001"}`, true},
		{"in a workspace of another Grid", grid, `"team":{"id":"T0FOREIGN"},"user":{"id":"U0OTTER01","team_id":"T0FOREIGN"},"enterprise":{"id":"E0FOREIGN"}`, false},
		{"with another Grid beside our workspace", grid, `"team":{"id":"T0HOMEWS1"},"user":{"id":"U0OTTER01","team_id":"T0HOMEWS1"},"enterprise":{"id":"E0FOREIGN"}`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.bench.does(t, fmt.Sprintf(`{"type":"block_actions","trigger_id":"111.222.xxx",%s,"channel":{"id":"C0PLACE01"},"actions":[{"type":"button","action_id":"approve","block_id":"decide","value":"REQUEST:DIGEST"}]}`, test.payload), person(member))
			if test.served != (err == nil) {
				t.Errorf("it ends with %v", err)
			}
		})
	}
}

func TestAPersonWithTwoIDsIsOne(t *testing.T) {
	t.Parallel()
	b := newGrid(t, sample(t, "ws.auth.test"))
	b.desk.Team.Identities = nil
	// What was linked under the workspace's own ID is found under the Grid's.
	link := store.Link{Workspace: "T0HOMEWS1", User: "U0OTTER01", GitHub: 7, Login: "ada", At: noon, How: "device flow", Confirmed: noon, ConfirmedBy: store.ByUpgrade}
	if err := b.store.AddLink(t.Context(), link, request.Change{}); err != nil {
		t.Fatal(err)
	}
	migrated := person(`"teams":["T0HOMEWS1"],"enterprise_user":{"id":"W0OTTER01"}`)
	for _, id := range []string{"U0OTTER01", "W0OTTER01"} {
		b.said["users.info"] = strings.ReplaceAll(migrated, `"id":"U0OTTER01"`, `"id":"`+id+`"`)
		who := request.Asker{Front: "slack", Workspace: "T0HOMEWS1", User: "W0OTTER01"}
		if id == "W0OTTER01" {
			who.User = "U0OTTER01"
		}
		identity, err := b.desk.Identify(t.Context(), who)
		if err != nil || identity.Login != "ada" {
			t.Errorf("as %s they are %+v, %v", who.User, identity, err)
		}
	}
	// Nor is there a second link for them, and each ID ends the one.
	b.said["users.info"] = migrated
	b.desk.Team.Device.ClientID = "Iv1.example"
	who := request.Asker{Front: "slack", Workspace: "T0HOMEWS1", User: "W0OTTER01"}
	if err := b.desk.MayBegin(t.Context(), who); err == nil || !strings.Contains(ops.Words(err, ""), "You have linked the GitHub account ada") {
		t.Errorf("a second link begins with %v", err)
	}
	if login, err := b.desk.Unlink(t.Context(), who); err != nil || login != "ada" {
		t.Errorf("the link ends with %q, %v", login, err)
	}
	// A channel may list them under the other ID.
	b.said["users.info"] = `{"ok":true,"user":{"id":"U0NEMO","teams":["T0HOMEWS1"]}}`
	if _, err := b.desk.MayAsk(t.Context(), "burn-down", request.Asker{Front: "slack", Workspace: "T0HOMEWS1", User: "W0NEMO"}); err != nil {
		t.Errorf("in the channel they may ask for nothing: %v", err)
	}
	b.said["users.info"] = migrated
	// Two logins for one person are none.
	b.desk.Team.Identities = map[string]string{"U0OTTER01": "ada", "W0OTTER01": "grace"}
	if _, err := b.desk.Identify(t.Context(), who); ops.KindOf(err) != ops.Refused || !strings.Contains(ops.Words(err, ""), "ada") {
		t.Errorf("with two logins they are refused with %v", err)
	}
	b.desk.Team.Identities["U0OTTER01"] = "Grace"
	if identity, err := b.desk.Identify(t.Context(), who); err != nil || !strings.EqualFold(identity.Login, "grace") {
		t.Errorf("with one login under both IDs they are %+v, %v", identity, err)
	}
}

func TestAnOrgWideTokenIsForOneWorkspace(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, auth, teams, says string }{
		{"the organisation's, added to one workspace", sample(t, "org.auth.test.team-is-enterprise"), `{"ok":true,"teams":[{"id":"T0HOMEWS1"}]}`, ""},
		{"without a team, added to one workspace", sample(t, "org.auth.test.team-null"), `{"ok":true,"teams":[{"id":"T0HOMEWS1"}]}`, ""},
		{"that names its workspace", strings.Replace(sample(t, "ws.auth.test"), `"is_enterprise_install": false`, `"is_enterprise_install": true`, 1), `{"ok":false,"error":"fatal_error"}`, ""},
		{"added to several", sample(t, "org.auth.test.team-is-enterprise"), `{"ok":true,"teams":[{"id":"T0HOMEWS1"},{"id":"T0OTHERWS"}]}`, "the app was added to 2 of them"},
		{"added to none", sample(t, "org.auth.test.team-null"), `{"ok":true,"teams":[]}`, "the app was added to 0 of them"},
		{"of which Slack says nothing", sample(t, "org.auth.test.team-null"), `{"ok":false,"error":"unknown_method"}`, "(unknown_method)"},
		{"of which Slack's answer can't be read", sample(t, "org.auth.test.team-null"), `<html>`, "Slack doesn't say"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newGrid(t, sample(t, "ws.auth.test"))
			b.said["auth.test"], b.said["auth.teams.list"] = test.auth, test.teams
			err := b.chat.Wire(t.Context())
			if test.says == "" {
				if err != nil || b.desk.Team.Workspace != "T0HOMEWS1" {
					t.Errorf("the start ends with %v, in %q", err, b.desk.Team.Workspace)
				}
				return
			}
			if err == nil {
				t.Fatal("the bot starts")
			}
			contains(t, "the start", err.Error(), test.says, "SLACK_BOT_TOKEN is of an org-wide install", "install it to one workspace")
		})
	}
	b := newGrid(t, sample(t, "ws.auth.test"))
	b.said["auth.test"] = `{"ok":true,"user":"rootbot"}`
	if err := b.chat.Wire(t.Context()); err == nil || !strings.Contains(err.Error(), "which workspace SLACK_BOT_TOKEN is of") {
		t.Errorf("without a workspace the start ends with %v", err)
	}
}

// TestTheSamplesAreWhole keeps a sample from being read as nothing.
func TestTheSamplesAreWhole(t *testing.T) {
	t.Parallel()
	for _, name := range samples(t, "*") {
		if !json.Valid([]byte(sample(t, name))) {
			t.Errorf("%s is no JSON", name)
		}
	}
}

// A field that nothing hangs on, of another type than slack-go has for it, is in the way
// of no click, form or search.
func TestAFieldOfAnotherTypeIsForgiven(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"ws.block_actions.user-team-home", "ws.view_submission.user-team-home", "ws.block_suggestion.user-team-home"} {
		for _, field := range []string{`"is_enterprise_install": "false"`, `"message_ts": 1.5`, `"message": {"ts": "1.2", "attachments": [{"id": "1"}]}`} {
			t.Run(name+" with "+field, func(t *testing.T) {
				t.Parallel()
				b := newGrid(t, sample(t, "ws.auth.test"))
				b.said["users.info"] = sample(t, "users.info.home")
				whole := sample(t, name)
				payload := whole[:strings.LastIndex(whole, "}")] // of two equal fields the later counts
				payload = strings.ReplaceAll(payload+", "+field+"}", "REQUEST:DIGEST", carried(shelf()[0]))
				if _, known := b.chat.Take(t.Context(), "interactive", []byte(payload)); !known {
					t.Error("it isn't acknowledged")
				}
				b.chat.Settle()
			})
		}
	}
}

// Nor is it in the way of a command, but where it would make another command of it.
func TestAFieldOfAnotherTypeInACommandIsForgiven(t *testing.T) {
	t.Parallel()
	for field, forgiven := range map[string]bool{
		`"is_enterprise_install": 0`: true, `"is_enterprise_install": "maybe"`: true, `"enterprise_name": false`: true, `"token": {}`: true,
		`"text": 1`: false, `"text": ["plan"]`: false, `"channel_id": 1`: false, `"team_id": {}`: false, `"token": {}, "command": ""`: false,
	} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			b := newGrid(t, sample(t, "ws.auth.test"))
			b.said["users.info"] = sample(t, "users.info.home")
			whole := sample(t, "ws.slash_command")
			if _, known := b.chat.Take(t.Context(), "slash_commands", []byte(whole[:strings.LastIndex(whole, "}")]+", "+field+"}")); known != forgiven {
				t.Errorf("it is acknowledged: %v", known)
			}
			b.chat.Settle()
		})
	}
}

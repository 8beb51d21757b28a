package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
)

func TestSlackIsAnsweredIn100MillisecondsWhateverElseIsSlow(t *testing.T) {
	s := begin(t, small)
	s.serveAs(processtest.Shipped(t))
	const slow = 2 * time.Second
	s.Slack.SetDelay("*", slow)
	s.GitHub.SetDelay(slow)
	s.AWS.SetDelay("*", slow)

	var took []time.Duration
	for _, words := range []string{"", "plan", "help", "-", s.Joiner} {
		took = append(took, s.types(s.Member, s.General, words).After)
	}
	took = append(took, s.forge(s.Member, "retry", "no-such-request:no-such-digest").After)
	t.Logf("acknowledged after %v", took)
	slices.Sort(took)
	if most := took[len(took)-1]; most >= time.Second {
		t.Errorf("the slowest acknowledgement took %v", most)
	}
	if middle := took[len(took)/2]; middle >= 100*time.Millisecond {
		t.Errorf("the middle acknowledgement took %v", middle)
	}
	s.untilAWS("AWS to be asked", func() bool { return s.AWS.Count("*") > 0 })
}

// opaque is a user or a group by ID alone, as the function's own log has them.
var opaque = regexp.MustCompile(`(?:user|group) (?:[0-9a-f]{10}-)?[0-9a-f]{8}-[0-9a-f]{4}-`)

func TestAMembersSyncInvokesOnceAndTellsByName(t *testing.T) {
	t.Parallel()
	s := begin(t, worldtest.Options{})
	s.serve()
	s.types(s.Member, s.General, s.Joiner)
	result := s.ended(0).PlainText()
	s.bot.Terminate()

	s.invoked(1)
	s.told(0)
	if n := len(s.cards()); n != 1 {
		t.Errorf("there are %d cards", n)
	}
	card := s.cards()[0].PlainText()
	for _, want := range []string{"/scim-sync", "<@" + s.Member.ID + ">", "otter", s.Joiner} {
		if !strings.Contains(card, want) {
			t.Errorf("the card doesn't say %q:\n%s", want, card)
		}
	}
	var teams []string
	for slug, members := range s.GitHub.Teams() {
		if slices.Contains(members, s.Joiner) && slug != "all-org-members" {
			teams = append(teams, slug)
		}
	}
	for _, want := range append(teams, s.Joiner, "added", "removed", "late-lark deleted", "prison-visits-alerts", "group created", "confirmed", "since this run") {
		if !strings.Contains(result, want) {
			t.Errorf("the result doesn't say %q:\n%s", want, result)
		}
	}
	if bad := opaque.FindString(result + s.thread(0)); bad != "" {
		t.Errorf("an ID stands where a name should: %q", bad)
	}
	if raw := strings.Join(s.AWS.Log("/aws/lambda/"+worldtest.Function), "\n"); !opaque.MatchString(raw) {
		t.Errorf("the function's own log has no IDs to be named:\n%s", raw)
	}
	pointer := s.whispered(s.Member, 0)
	if link := "p" + strings.ReplaceAll(s.cards()[0].TS, ".", ""); !strings.Contains(pointer, link) {
		t.Errorf("the asker, who typed in another channel, was told %q, without %s", pointer, link)
	}
	want := map[string][]string{}
	for slug, members := range s.GitHub.Teams() {
		if slug == "all-org-members" {
			continue
		}
		for _, login := range members {
			want[slug] = append(want[slug], login+worldtest.Suffix)
		}
	}
	have := s.Store.Snapshot().Member
	delete(have, "azure-aws-sso-analysts")
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("Identity Center isn't as GitHub is (- GitHub, + Identity Center):\n%s", diff)
	}
	sessions(t, s)
	secretive(t, s)
	var kinds []string
	for _, e := range s.lives() {
		kinds = append(kinds, e.Kind)
	}
	wantKinds := []string{"asked", "admitted", "planned", "started", "step-begun", "step-ended", "step-begun", "step-ended", "step-begun", "step-ended"}
	if diff := cmp.Diff(wantKinds, kinds); diff != "" {
		t.Errorf("the events are (- wanted, + there):\n%s", diff)
	}
	var others []string
	for _, e := range s.events() {
		switch e.Kind {
		case "calling", "called":
			others = append(others, fmt.Sprint(e.Kind, " ", e.By, " ", e.Data["service"], " ", e.Data["action"], " ", e.Data["target"], " ", e.Data["outcome"], " ", e.Data["aws_request"] != nil))
		case "shown", "told", "anchored", "process-started", "process-stopped":
			others = append(others, fmt.Sprint(e.Kind, " ", e.Data["message"], " ", e.Data["ts"] != nil))
		}
	}
	slices.Sort(others)
	wantOthers := []string{
		"anchored <nil> false", "called otter lambda Invoke FunctionName=" + worldtest.Function + " done true", "calling otter lambda Invoke FunctionName=" + worldtest.Function + " <nil> false",
		"process-started <nil> false", "process-stopped <nil> false", "shown <nil> true", "told pointer false", "told result true",
	}
	if diff := cmp.Diff(wantOthers, others); diff != "" {
		t.Errorf("what else is recorded (- wanted, + there):\n%s", diff)
	}
}

// sessions wants every call but STS's to be made with a session that names the
// human and is narrowed to its stage.
func sessions(t *testing.T, s *scene) {
	t.Helper()
	invoked := false
	for _, c := range s.AWS.Calls() {
		if !c.Allowed {
			t.Errorf("%s was refused: the bot asks for more than its policy allows", c.Name())
		}
		if c.Service == "sts" {
			narrow(t, c.Name(), c.Params)
			continue
		}
		role := worldtest.ActRole
		if c.Service == "identitystore" {
			role = worldtest.LookRole
		}
		invoked = invoked || c.Name() == "lambda:InvokeFunction"
		switch {
		case c.RoleARN != role:
			t.Errorf("%s was called as %s", c.Name(), c.RoleARN)
		case c.RoleARN != worldtest.LookRole && !invoked:
			t.Errorf("%s was called as %s while planning", c.Name(), c.RoleARN)
		case c.SourceIdentity != "otter":
			t.Errorf("%s was called with the source identity %q", c.Name(), c.SourceIdentity)
		case c.SessionPolicy == "":
			t.Errorf("%s was called without a session policy", c.Name())
		case role == worldtest.ActRole && (c.SessionTags["request"] == "" || c.SessionTags["operation"] != "scim-sync" || c.SessionTags["requested-by"] != "otter"):
			t.Errorf("%s was called with the tags %v", c.Name(), c.SessionTags)
		}
	}
}

// narrow wants a session of an hour at most, with a policy and a source identity.
func narrow(t *testing.T, name string, params json.RawMessage) {
	t.Helper()
	var p struct {
		Policy, SourceIdentity string
		DurationSeconds        any
	}
	if err := json.Unmarshal(params, &p); err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.Atoi(strings.Trim(string(must(json.Marshal(p.DurationSeconds))), `"`))
	if name != "sts:AssumeRole" || p.Policy == "" || p.SourceIdentity != "otter" || err != nil || seconds > 3600 {
		t.Errorf("%s was called with %s", name, params)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// secretive wants no token and no response_url in the database or the log.
func secretive(t *testing.T, s *scene) {
	t.Helper()
	keys := append(processtest.Secrets(s.bot.Env()), "/commands/"+s.Slack.TeamID, "/actions/"+s.Slack.TeamID)
	files, err := filepath.Glob(filepath.Join(s.dir, "rootbot.db*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("the database's files are %v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if bytes.Contains(text, []byte(key)) {
				t.Errorf("%q stands in %s", key, filepath.Base(file))
			}
		}
	}
	for _, key := range keys {
		if strings.Contains(s.bot.Err.String(), key) {
			t.Errorf("%q stands in the log", key)
		}
	}
}

func TestWhoeverMayNotIsRefusedPrivatelyAndAWSHearsNothing(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	// One who isn't in the team, one who is nobody on GitHub, and a member's
	// user ID in a workspace that isn't ours.
	s.types(s.Outside, s.Log, "")
	s.types(s.Unknown, s.General, s.Joiner)
	for _, who := range []slacktest.User{s.Outside, s.Unknown} {
		said := s.whispered(who, 0)
		for _, want := range []string{worldtest.Organization + "/" + worldtest.Team, "Nothing was changed", "#aws-root-account"} {
			if !strings.Contains(said, want) {
				t.Errorf("%s was told %q, without %q", who.Name, said, want)
			}
		}
	}
	abroad := listenForAnswers(t)
	if _, err := s.Slack.Send(t.Context(), "slash_commands", map[string]any{
		"team_id": "T0ELSEWHERE", "user_id": s.Member.ID, "user_name": "otter", "channel_id": s.Log.ID,
		"command": "/scim-sync", "text": "", "response_url": abroad.url,
	}); err != nil {
		t.Fatal(err)
	}
	if said := abroad.next(); !strings.Contains(said, worldtest.Team) {
		t.Errorf("a member's user ID of another workspace was told %q", said)
	}
	s.bot.Terminate()

	if n := s.AWS.Count("*"); n != 0 {
		t.Errorf("AWS was called %d times", n)
	}
	if n := len(s.cards()); n != 0 {
		t.Errorf("there are %d messages in public", n)
	}
	var refused []string
	for _, e := range s.events() {
		if e.Kind == "refused" {
			refused = append(refused, e.By)
			if reason, _ := e.Data["reason"].(string); !strings.Contains(reason, worldtest.Team) {
				t.Errorf("the refusal of %s is recorded with %v", e.By, e.Data)
			}
		}
	}
	slices.Sort(refused)
	if len(refused) != 3 {
		t.Errorf("%d refusals are recorded: %q", len(refused), refused)
	}
	for i, who := range []string{"magpie", "slack:" + s.Slack.TeamID + "/" + s.Unknown.ID} {
		if !slices.Contains(refused, who) {
			t.Errorf("refusal %d: no event names %s: %q", i, who, refused)
		}
	}
}

func TestGitHubsSilenceIsARefusal(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.serve()
	s.GitHub.RevokeToken(s.env["GITHUB_TOKEN"])
	s.types(s.Member, s.Log, "")
	if said := s.whispered(s.Member, 0); !strings.Contains(said, worldtest.Team) || !strings.Contains(said, "othing was changed") || !strings.Contains(said, "GitHub") {
		t.Errorf("the member was told %q", said)
	}
	if n := s.AWS.Count("*"); n != 0 {
		t.Errorf("AWS was called %d times", n)
	}
}

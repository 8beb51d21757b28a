package main_test

import (
	"bufio"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/processtest"
	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/anchor"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

const (
	auditBucket = "rootbot-audit"
	auditRole   = "arn:aws:iam::111111111111:role/rootbot-audit-act"
	auditPrefix = "rootbot/"
)

// vaulted makes the world's AWS keep anchors, and the settings name where.
func (s *scene) vaulted() {
	s.Helper()
	fill := strings.NewReplacer("${bucket}", auditBucket, "${prefix}", auditPrefix, "${bot_role}", "arn:aws:iam::111111111111:role/rootbot")
	s.AWS.AddRole(awstest.Role{ARN: auditRole, Trust: fill.Replace(awsaccess.Trust), Policy: fill.Replace(anchor.Policy)})
	s.AWS.AddBucket(awstest.Bucket{Name: auditBucket, Region: worldtest.Region, ObjectLock: true})
	s.settings("audit: {bucket: " + auditBucket + ", prefix: " + auditPrefix + ", region: " + worldtest.Region + ", role: \"" + auditRole + "\", retain: 24h}\n" + s.Config())
}

// audits runs rootbot audit and returns what it prints and its exit status.
func (s *scene) audits(args ...string) (out, err string, code int) {
	s.Helper()
	p := processtest.Launch(s.T, processtest.Binary(s.T), s.dir, s.env, append([]string{"audit"}, args...)...)
	code = p.Exit(patience)
	return p.Out.String(), p.Err.String(), code
}

// tampers does what somebody with the file could.
func (s *scene) tampers(statements ...string) {
	s.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "rootbot.db"))
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	for _, statement := range append([]string{"DROP TRIGGER IF EXISTS events_update", "DROP TRIGGER IF EXISTS events_delete"}, statements...) {
		if _, err := db.Exec(statement); err != nil {
			s.Fatalf("%s: %v", statement, err)
		}
	}
}

func TestTheAuditOfARunIsToldVerifiedAndExported(t *testing.T) {
	t.Parallel()
	s := begin(t, small)
	s.vaulted()
	s.serve()
	s.types(s.Member, s.General, s.Joiner)
	s.ended(0)
	s.until("the anchor on the card", func() bool { return strings.Contains(s.cards()[0].PlainText(), "Audit `") })
	s.untilAWS("the anchor in S3", func() bool { return len(s.AWS.Objects(auditBucket)) >= 2 }) // one of the start, one of the run
	s.types(s.Outside, s.General, "")
	s.whispered(s.Outside, 0)
	s.bot.Terminate()
	events := s.events()
	id := ""
	for _, e := range events {
		if e.Kind == "started" {
			id = e.Request
		}
	}
	for _, c := range s.AWS.Calls() {
		if !c.Allowed || c.Service == "s3" && !strings.HasPrefix(c.Principal, "arn:aws:sts::111111111111:assumed-role/rootbot-audit-act/rootbot@") {
			t.Errorf("%s was called as %s, and was allowed: %v", c.Name(), c.Principal, c.Allowed)
		}
	}

	t.Run("show tells the story of a request", func(t *testing.T) {
		for _, name := range []string{id, id[len(id)-8:]} {
			out, said, code := s.audits("show", name)
			if code != 0 {
				t.Fatalf("status %d: %s", code, said)
			}
			for _, words := range []string{
				"scim-sync", s.Joiner, "otter", "Slack user", "succeeded", "Invoke the Lambda function " + worldtest.Function, "AWS", "FunctionName=" + worldtest.Function,
				"otter@" + id[len(id)-8:], "source identity", "aws cloudtrail lookup-events", "quick-heron added — confirmed",
			} {
				if !strings.Contains(out, words) {
					t.Errorf("the story doesn't say %q:\n%s", words, out)
				}
			}
		}
		for _, nobody := range []string{"", "nobody", "-", "%"} {
			if _, said, code := s.audits("show", nobody); code != 1 || !strings.Contains(said, "there is no request") {
				t.Errorf("%q: status %d: %s", nobody, code, said)
			}
		}
	})
	t.Run("export has every event", func(t *testing.T) {
		for _, format := range []string{"jsonl", "ocsf"} {
			out, said, code := s.audits("export", "--format", format)
			n := 0
			for lines := bufio.NewScanner(strings.NewReader(out)); lines.Scan(); n++ {
				if !json.Valid(lines.Bytes()) {
					t.Errorf("%s: line %d is no JSON: %s", format, n, lines.Bytes())
				}
			}
			if code != 0 || n != len(events) {
				t.Errorf("%s: %d lines for %d events, status %d: %s", format, n, len(events), code, said)
			}
		}
		out, _, _ := s.audits("export", "--format=csv", "--since", "2020-01-31")
		rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
		if err != nil || len(rows) != len(events)+1 {
			t.Errorf("csv has %d rows: %v", len(rows), err)
		}
		if out, said, code := s.audits("export", "--since", "2999-01-01T00:00:00Z"); out != "" || code != 0 {
			t.Errorf("of the future: %q, %q, status %d", out, said, code)
		}
		for _, args := range [][]string{{"--format", "xml"}, {"--since", "yesterday"}, {"everything"}} {
			if out, said, code := s.audits(append([]string{"export"}, args...)...); code == 0 || out != "" || said == "" {
				t.Errorf("%v: %q, %q, status %d", args, out, said, code)
			}
		}
	})
	t.Run("verify compares the anchors in Slack and S3", func(t *testing.T) {
		out, said, code := s.audits("verify")
		if code != 0 || !strings.Contains(out, "as written") || !strings.Contains(out, "1 in Slack") || !strings.Contains(out, " in S3") {
			t.Errorf("status %d: %s%s", code, out, said)
		}
		t.Log(out)
		out, said, code = s.audits("verify", "--offline")
		if code != 0 || !strings.Contains(out, "No anchor was compared") {
			t.Errorf("offline: status %d: %s%s", code, out, said)
		}
	})
	t.Run("verify names an anchor that was changed, and one that is gone", func(t *testing.T) {
		if len(s.cards()) == 0 {
			t.Fatal("there is no card")
		}
		api := slack.New(s.env["SLACK_BOT_TOKEN"], slack.OptionAPIURL(s.env["SLACK_API_URL"]))
		card := s.cards()[0]
		edit := func(head string) {
			t.Helper()
			if _, _, _, err := api.UpdateMessage(s.Log.ID, card.TS, slack.MsgOptionText("edited", false),
				slack.MsgOptionMetadata(slack.SlackMetadata{EventType: "rootbot_message", EventPayload: map[string]any{"anchor": head}})); err != nil {
				t.Fatal(err)
			}
		}
		recorded := events[slices.IndexFunc(events, func(e event) bool { return e.Kind == "anchored" })]
		head := fmt.Sprintf("%v:%v", recorded.Data["seq"], recorded.Data["hash"])
		defer edit(head)
		edit("3:" + strings.Repeat("a", 64))
		if out, said, code := s.audits("verify"); code != 1 || !strings.Contains(said, s.Log.ID+"/"+card.TS+" was changed: "+head) {
			t.Errorf("status %d: %s%s", code, out, said)
		}
		edit("none")
		if out, said, code := s.audits("verify"); code != 1 || !strings.Contains(said, s.Log.ID+"/"+card.TS+" is missing: event ") {
			t.Errorf("status %d: %s%s", code, out, said)
		}
		if out, said, code := s.audits("verify", "--since", "2999-01-01"); code != 0 {
			t.Errorf("of the future: status %d: %s%s", code, out, said)
		}
	})
	t.Run("verify finds an anchor behind a delete marker, and names it", func(t *testing.T) {
		key := s.AWS.Objects(auditBucket)[0].Key
		s.AWS.RemoveObject(auditBucket, key)
		if out, said, code := s.audits("verify"); code != 1 || !strings.Contains(said, key+" is hidden by a delete marker") || strings.Contains(said, "is missing") {
			t.Errorf("status %d: %s%s", code, out, said)
		}
		for _, o := range s.AWS.ObjectVersions(auditBucket) {
			if o.DeleteMarker {
				s.AWS.RemoveVersion(auditBucket, key, o.VersionID)
			}
		}
	})
	t.Run("verify says what it can't read", func(t *testing.T) {
		s.Slack.Fail("conversations.history", slackDown)
		if _, said, code := s.audits("verify"); code != 1 || !strings.Contains(said, "anchors in the log channel") {
			t.Errorf("status %d: %s", code, said)
		}
		if _, said, code := s.audits("verify", "--anchor", "7"); code != 2 || !strings.Contains(said, "not an anchor") {
			t.Errorf("status %d: %s", code, said)
		}
	})
	t.Run("a tail that is cut off is found by the anchors", func(t *testing.T) {
		last := slices.IndexFunc(events, func(e event) bool { return e.Kind == "started" }) + 1
		head := anchorOf(s, len(events))
		s.tampers("DELETE FROM events WHERE seq > " + itoa(last))
		out, said, code := s.audits("verify")
		if code != 1 || !strings.Contains(said, "The first event that shows it is event "+itoa(last+1)) {
			t.Errorf("status %d: %s%s", code, out, said)
		}
		if out, said, code := s.audits("verify", "--offline"); code != 0 {
			t.Errorf("offline it can't be seen, and status is %d: %s%s", code, out, said)
		}
		if _, said, code := s.audits("verify", "--offline", "--anchor", head); code != 1 || !strings.Contains(said, "event "+itoa(last+1)) {
			t.Errorf("with an anchor by hand: status %d: %s", code, said)
		}
	})
	t.Run("a restore from a backup is announced", func(t *testing.T) {
		if _, said, code := s.audits("restored"); code != 2 || !strings.Contains(said, "--reason") {
			t.Errorf("without a reason: status %d: %s", code, said)
		}
		out, said, code := s.audits("restored", "--reason", "The disk broke; the copy is of noon.")
		if code != 0 || !strings.Contains(out, "The disk broke") {
			t.Errorf("status %d: %s%s", code, out, said)
		}
		out, said, code = s.audits("verify")
		if code != 0 || !strings.Contains(out, "An announced break: event "+itoa(slices.IndexFunc(events, func(e event) bool { return e.Kind == "started" })+2)) {
			t.Errorf("verify: status %d: %s%s", code, out, said)
		}
		if _, said, code := s.audits("restored", "--reason", "Once more."); code != 1 || !strings.Contains(said, "no restore to announce") {
			t.Errorf("once more: status %d: %s", code, said)
		}
	})
	t.Run("a changed event is found", func(t *testing.T) {
		s.tampers("UPDATE events SET by = 'badger' WHERE seq = 3")
		if _, said, code := s.audits("verify", "--offline"); code != 1 || !strings.Contains(said, "event 3:") {
			t.Errorf("status %d: %s", code, said)
		}
	})
	t.Run("there is no database", func(t *testing.T) {
		s.env["DATABASE_URL"] = "sqlite:elsewhere.db"
		if _, said, code := s.audits("verify", "--offline"); code != 1 || !strings.Contains(said, "there is no database elsewhere.db") {
			t.Errorf("status %d: %s", code, said)
		}
	})
}

// slackDown is Slack in trouble, once.
var slackDown = slacktest.Fault{Status: 503}

func itoa(n int) string { return strconv.Itoa(n) }

// anchorOf is the head at an event.
func anchorOf(s *scene, seq int) string {
	s.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "rootbot.db"))
	if err != nil {
		s.Fatal(err)
	}
	defer db.Close()
	var hash string
	if err := db.QueryRow("SELECT hash FROM events WHERE seq = ?", seq).Scan(&hash); err != nil {
		s.Fatal(err)
	}
	return itoa(seq) + ":" + hash
}

package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// asked asks for the removal of users and waits for the buttons.
func asked(t *testing.T, w *worldtest.World, bot *running, emails string) (card, ask slacktest.Message) {
	t.Helper()
	ctx := t.Context()
	if _, err := w.Slack.Command(ctx, w.Member.ID, w.Desk.ID, "/aws-remove-user", emails); err != nil {
		t.Fatal(err)
	}
	until(t, w, bot, "the form", func() bool { return len(w.Slack.Views(w.Member.ID)) > 0 })
	view := w.Slack.Views(w.Member.ID)[0]
	ack, err := w.Slack.Submit(ctx, w.Member.ID, view.ID, map[string]slacktest.Value{
		"reason": slacktest.Text("has left"), "confirmed": slacktest.Pick("yes"),
	})
	if err != nil || len(ack.Errors) > 0 {
		t.Fatalf("submit: %v %v", err, ack.Errors)
	}
	until(t, w, bot, "the buttons", func() bool {
		cards := w.Slack.Messages(w.Desk.ID)
		if len(cards) == 0 {
			return false
		}
		card = cards[len(cards)-1]
		for _, m := range w.Slack.Thread(w.Desk.ID, card.TS) {
			if len(m.Buttons()) == 3 {
				ask = m
				return true
			}
		}
		return false
	})
	return card, ask
}

func until(t *testing.T, w *worldtest.World, bot *running, what string, holds func() bool) {
	t.Helper()
	if err := bot.wait(t.Context(), w, 20*time.Second, what, holds); err != nil {
		var b strings.Builder
		w.Slack.Transcript(&b)
		t.Fatalf("%v\n%s", err, b.String())
	}
}

func launch(t *testing.T, o worldtest.Options) (*worldtest.World, *running) {
	t.Helper()
	w := worldtest.New(o)
	t.Cleanup(w.Close)
	bot, err := start(context.WithoutCancel(t.Context()), w, testing.Verbose())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bot.stop)
	return w, bot
}

func (b *running) state(w *worldtest.World, card slacktest.Message, want string) func() bool {
	return func() bool {
		for _, m := range w.Slack.Messages(card.Channel) {
			if m.TS == card.TS {
				return strings.Contains(m.PlainText(), want)
			}
		}
		return false
	}
}

func TestAUserIsQuarantinedAndRestoredToTheSameState(t *testing.T) {
	w, bot := launch(t, worldtest.Options{})
	before, _ := w.IAM.User(worldtest.Leaver)
	card, ask := asked(t, w, bot, worldtest.Leaver)
	pressed := time.Now()
	if _, err := w.Slack.Click(t.Context(), w.Second.ID, w.Desk.ID, ask.TS, "approve"); err != nil {
		t.Fatal(err)
	}
	denied := func() bool {
		u, _ := w.IAM.User(worldtest.Leaver)
		return slices.Contains(u.Attached, awstest.AWSDenyAll)
	}
	if err := w.AWS.Wait(t.Context(), denied); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(pressed); took > 2*time.Second {
		t.Errorf("deny-all was attached %v after the last Approve", took)
	} else {
		t.Logf("deny-all was attached %v after the last Approve", took)
	}
	until(t, w, bot, "the offer to restore", func() bool {
		for _, m := range w.Slack.Thread(w.Desk.ID, card.TS) {
			if b := m.Buttons(); len(b) == 1 && b[0].ActionID == "undo" {
				ask = m
				return true
			}
		}
		return false
	})
	if !w.IAM.Powerless(worldtest.Leaver) {
		t.Error("the user has power")
	}
	if _, err := w.Slack.Click(t.Context(), w.Second.ID, w.Desk.ID, ask.TS, "undo"); err != nil {
		t.Fatal(err)
	}
	until(t, w, bot, "the form", func() bool { return len(w.Slack.Views(w.Second.ID)) > 0 })
	if _, err := w.Slack.Submit(t.Context(), w.Second.ID, w.Slack.Views(w.Second.ID)[0].ID, map[string]slacktest.Value{"reason": slacktest.Text("stays after all")}); err != nil {
		t.Fatal(err)
	}
	until(t, w, bot, "the end", bot.state(w, card, "Restored"))
	after, _ := w.IAM.User(worldtest.Leaver)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	if testing.Verbose() {
		w.Slack.Transcript(testWriter{t})
	}
}

func TestAUserWhomTerraformOwnsIsRemovedByAMergedPullRequest(t *testing.T) {
	w, bot := launch(t, worldtest.Options{Grace: -1})
	other, _ := w.IAM.User("solitary.stork@softwire.com")
	card, ask := asked(t, w, bot, worldtest.Leaver)
	if _, err := w.Slack.Click(t.Context(), w.Member.ID, w.Desk.ID, ask.TS, "approve"); err != nil {
		t.Fatal(err)
	}
	until(t, w, bot, "the answer to the requester", func() bool { return len(w.Slack.Ephemerals(w.Member.ID)) > 0 })
	if said := w.Slack.Ephemerals(w.Member.ID)[0].PlainText(); !strings.Contains(said, "You asked for this, so somebody else must approve it") {
		t.Errorf("the requester was told %q", said)
	}
	if _, err := w.Slack.Click(t.Context(), w.Second.ID, w.Desk.ID, ask.TS, "approve"); err != nil {
		t.Fatal(err)
	}
	until(t, w, bot, "the pull request", func() bool { return len(w.GitHub.Pulls(worldtest.UsersRepo)) == 1 })
	if !w.IAM.Powerless(worldtest.Leaver) {
		t.Error("the user has power while the pull request waits")
	}
	pull := w.GitHub.Pulls(worldtest.UsersRepo)[0]
	if pull.Title != "Remove AWS user solitary.stork" || len(pull.Files) != 2 {
		t.Errorf("the pull request is %q and changes %d files", pull.Title, len(pull.Files))
	}
	if err := w.GitHub.Merge(worldtest.UsersRepo, pull.Number, "badger"); err != nil {
		t.Fatal(err)
	}
	until(t, w, bot, "the end", bot.state(w, card, "is removed"))
	if _, there := w.IAM.User(worldtest.Leaver); there {
		t.Error("the user is still there")
	}
	now, _ := w.IAM.User("solitary.stork@softwire.com")
	if diff := cmp.Diff(other, now); diff != "" {
		t.Errorf("the other user of that local part changed: %s", diff)
	}
	until(t, w, bot, "the message to the requester", func() bool { return len(w.Slack.Direct(w.Member.ID)) == 1 })
	until(t, w, bot, "the result", func() bool {
		var b strings.Builder
		w.Slack.Transcript(&b)
		return strings.Contains(b.String(), "What solitary.stork")
	})
	content(t, w)
}

// testWriter writes to a test's log.
type testWriter struct{ *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.Log(string(p))
	return len(p), nil
}

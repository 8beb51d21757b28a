package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/bot/slacktest"
	"github.com/aws-root-account/rootbot/bot/worldtest"
)

// sinking asks for the account that nobody needs to be closed, and waits for the
// buttons.
func sinking(t *testing.T, w *worldtest.World, bot *running) (card, ask slacktest.Message) {
	t.Helper()
	ctx := t.Context()
	if _, err := w.Slack.Command(ctx, w.Member.ID, w.Desk.ID, "/aws-delete-account", ""); err != nil {
		t.Fatal(err)
	}
	until(t, w, bot, "the form", func() bool { return len(w.Slack.Views(w.Member.ID)) > 0 })
	view := w.Slack.Views(w.Member.ID)[0]
	found, err := w.Slack.Suggest(ctx, w.Member.ID, view.ID, "account", "POND-mon")
	if err != nil || len(found.Options) != 2 || found.Options[0].Text != worldtest.Sinking+" "+worldtest.SinkingName {
		t.Fatalf("found is %+v: %v", found.Options, err)
	}
	values := map[string]slacktest.Value{
		"account": slacktest.Pick(worldtest.Sinking), "name": slacktest.Text("Pond-Monitoring-dev"), "reason": slacktest.Text("nobody needs it"),
		"agreement": slacktest.Text("OPS-7"), "confirmed": slacktest.Pick("yes", "yes-2", "yes-3"),
	}
	ack, err := w.Slack.Submit(ctx, w.Member.ID, view.ID, values)
	if err != nil || !strings.Contains(ack.Errors["name"], "Case and spaces count") {
		t.Fatalf("a name in another case: %v %v", err, ack.Errors)
	}
	values["name"] = slacktest.Text(worldtest.SinkingName)
	if ack, err := w.Slack.Submit(ctx, w.Member.ID, view.ID, values); err != nil || len(ack.Errors) > 0 {
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

// approves types the account's name into the form that Approve opens.
func approves(t *testing.T, w *worldtest.World, bot *running, who slacktest.User, ask slacktest.Message) {
	t.Helper()
	if _, err := w.Slack.Click(t.Context(), who.ID, w.Desk.ID, ask.TS, "approve"); err != nil {
		t.Fatal(err)
	}
	until(t, w, bot, "the form of the approval", func() bool { return len(w.Slack.Views(who.ID)) > 0 })
	if ack, err := w.Slack.Submit(t.Context(), who.ID, w.Slack.Views(who.ID)[0].ID, map[string]slacktest.Value{"name": slacktest.Text(worldtest.SinkingName)}); err != nil || len(ack.Errors) > 0 {
		t.Fatalf("%s approves: %v %v", who.Name, err, ack.Errors)
	}
}

// content complains of what the three servers found fault with.
func content(t *testing.T, w *worldtest.World) {
	t.Helper()
	for _, problem := range w.Problems() {
		t.Error(problem)
	}
	if testing.Verbose() {
		w.Slack.Transcript(testWriter{t})
	}
}

func TestAnAccountIsClosedByTwoApprovals(t *testing.T) {
	w, bot := launch(t, worldtest.Options{Grace: -1})
	card, ask := sinking(t, w, bot)
	approves(t, w, bot, w.Second, ask)
	until(t, w, bot, "the first approval", bot.state(w, card, "1 approval"))
	if a, _ := w.AWS.Organization().Account(worldtest.Sinking); a.State != "ACTIVE" || len(a.Tags) != 3 {
		t.Errorf("after one of two approvals it is %+v", a)
	}
	approves(t, w, bot, w.Third, ask)
	until(t, w, bot, "the end", bot.state(w, card, "is closed"))
	if closed := w.AWS.Organization().Closed(); !slices.Equal(closed, []string{worldtest.Sinking}) {
		t.Errorf("closed are %v", closed)
	}
	until(t, w, bot, "the result", func() bool {
		var b strings.Builder
		w.Slack.Transcript(&b)
		return strings.Contains(b.String(), "Closed accounts") && strings.Contains(b.String(), "reinstate it until")
	})
	content(t, w)
}

func TestADisabledAccountIsRestoredToTheSameState(t *testing.T) {
	w, bot := launch(t, worldtest.Options{})
	before, _ := w.AWS.Organization().Account(worldtest.Sinking)
	card, ask := sinking(t, w, bot)
	approves(t, w, bot, w.Second, ask)
	approves(t, w, bot, w.Third, ask)
	until(t, w, bot, "the offer to restore", func() bool {
		for _, m := range w.Slack.Thread(w.Desk.ID, card.TS) {
			if b := m.Buttons(); len(b) == 1 && b[0].ActionID == "undo" {
				ask = m
				return true
			}
		}
		return false
	})
	if a, _ := w.AWS.Organization().Account(worldtest.Sinking); a.Parent == before.Parent || a.State != "ACTIVE" {
		t.Errorf("disabled it is %+v", a)
	}
	if _, err := w.Slack.Click(t.Context(), w.Second.ID, w.Desk.ID, ask.TS, "undo"); err != nil {
		t.Fatal(err)
	}
	until(t, w, bot, "the form", func() bool { return len(w.Slack.Views(w.Second.ID)) > 0 })
	if _, err := w.Slack.Submit(t.Context(), w.Second.ID, w.Slack.Views(w.Second.ID)[0].ID, map[string]slacktest.Value{"reason": slacktest.Text("needed after all")}); err != nil {
		t.Fatal(err)
	}
	until(t, w, bot, "the end", bot.state(w, card, "Restored"))
	after, _ := w.AWS.Organization().Account(worldtest.Sinking)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Error(diff)
	}
	content(t, w)
}

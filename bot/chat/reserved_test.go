package chat_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
)

func TestAReservedWordIsKnownHoweverItIsTyped(t *testing.T) {
	t.Parallel()
	ran := false
	o := start(t, tidy(func(context.Context, ops.Run) error { ran = true; return nil }))
	for _, text := range []string{"Help", "HELP", "help.", "--help", "Help me", "“help”"} {
		if said := o.types(o.nemo, o.home, text); !strings.HasPrefix(said, "*Tidies up") {
			t.Errorf("%s is answered %q", text, said)
		}
	}
	for _, text := range []string{"octocat plan", "octocat Help", "plan octocat PLAN", "plan help"} {
		said := o.types(o.ada, o.home, text)
		contains(t, "the answer to "+text, said, "is a word of mine", "Nothing was changed", "/tidy-up help")
	}
	if n := len(o.requests()); n > 0 {
		t.Errorf("%d requests are stored", n)
	}
	for i, text := range []string{"Plan", "PLAN octocat", "plan.", "--plan", "—plan"} {
		o.types(o.ada, o.home, text)
		o.wait(text+" previewed", func() bool {
			return len(o.cards()) == i+1 && strings.Contains(o.cards()[i].PlainText(), "Preview")
		})
	}
	o.quietly()
	if ran {
		t.Error("something ran")
	}
	for _, text := range []string{"Whoami", "WHOAMI"} {
		contains(t, "the answer to /rootbot "+text, o.asksAbout(o.ada, text), "You are ada on GitHub")
	}
	contains(t, "the answer to /rootbot history of an operation", o.asksAbout(o.ada, "History Tidy-Up"), "Preview")
	o.fine()
}

// What is doubtful is asked about by the person alone: before there is a card.
func TestADoubtIsForTheAskersEyesOnly(t *testing.T) {
	t.Parallel()
	ran := false
	operation := tidy(func(context.Context, ops.Run) error { ran = true; return nil })
	operation.Doubt = func(_ context.Context, r ops.Request) error {
		if r.By != "ada" || r.Inputs["people"][0] != "plna" {
			return nil
		}
		return &ops.Error{Kind: ops.Invalid, What: "“plna” is nobody.", Next: "Did you mean `/tidy-up plan`?"}
	}
	o := start(t, operation)
	for i, text := range []string{"plna", "plan plna"} {
		o.types(o.ada, o.home, text)
		contains(t, "the answer", o.hears(o.ada, i+1), "“plna” is nobody. Nothing was changed. Did you mean `/tidy-up plan`?")
	}
	// Who may not ask isn't told what is doubtful.
	o.types(o.mallory, o.home, "plna")
	contains(t, "mallory's answer", o.hears(o.mallory, 1), "not a member of the team")
	o.quietly()
	if len(o.cards()) > 0 || ran {
		t.Errorf("it ran: %t; what stands in the channel:\n%s", ran, o.story())
	}
	o.types(o.ada, o.home, "octocat")
	o.card("Done")
	o.fine()
}

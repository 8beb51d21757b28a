package bot_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// life draws sequences of happenings and plays them.
func life(t *rapid.T, check func(before, after request.Request, h bot.Happening, told []string)) {
	r := in(request.Asked)
	r.Preview = rapid.Bool().Draw(t, "preview")
	terms := demands(rapid.IntRange(0, 1).Draw(t, "approvals"))
	now := noon
	for range rapid.IntRange(1, 25).Draw(t, "length") {
		h := bot.Happening{
			Kind:   rapid.SampledFrom(happenings).Draw(t, "kind"),
			Reason: rapid.SampledFrom([]string{"", "because"}).Draw(t, "reason"),
			Fault:  rapid.SampledFrom([]ops.Kind{ops.Internal, ops.Refused, ops.Invalid, ops.Busy, ops.Unavailable, ops.Unknown}).Draw(t, "fault"),
		}
		switch h.Kind {
		case "admitted":
			h.Login, h.Held = "octocat", rapid.SampledFrom([]string{"", "tidy"}).Draw(t, "held")
		case "refused":
			h.Login, h.Pointer = rapid.SampledFrom([]string{"", "octocat"}).Draw(t, "login"), rapid.SampledFrom([]string{"", "0197-zero"}).Draw(t, "pointer")
		case "planned":
			h.Plan, h.Terms = planOf(rapid.IntRange(1, 3).Draw(t, "steps")), terms
			h.Plan.Approval.Count = rapid.SampledFrom([]int{0, 0, 1}).Draw(t, "more approvals")
		case "stale":
			h.Plan, h.Terms = planOf(4), terms
		case "replanned":
			h.Plan = planOf(1)
		case "approved", "rejected", "withdrawn", "undo", "break-glass", "reviewed":
			if h.Review = review(rapid.SampledFrom([]string{"octocat", "hubot", "monalisa"}).Draw(t, "who"), planOf(1)); r.Plan != nil {
				h.Review.Digest = r.Plan.Digest()
			}
			h.Click = 7
		}
		if r.State == request.Running && rapid.Bool().Draw(t, "report") {
			r.Report = &ops.Report{Problems: rapid.SampledFrom([][]string{nil, {"dust"}}).Draw(t, "problems")}
		}
		now = now.Add(time.Second)
		next, change, err := bot.After(r, h, now)
		if err != nil {
			if diff := difference(r, next); diff != "" || len(change.Events)+len(change.Messages) > 0 {
				t.Fatalf("%s can't happen, and yet:\n%s%+v", h.Kind, diff, change)
			}
			continue
		}
		if len(change.Events) == 0 {
			t.Fatalf("%s happened and no event tells it", h.Kind)
		}
		check(r, next, h, kindsOf(change.Messages))
		r = next
	}
}

func TestALifeOfARequest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		admitted, results := false, 0
		life(t, func(before, after request.Request, h bot.Happening, told []string) {
			if h.Kind == "reviewed" && before.State.Ended() {
				if before.Glass == nil || after.State != before.State || after.EndedAt != before.EndedAt {
					t.Fatalf("what had ended as %s was looked at and is %s", before.State, after.State)
				}
				return
			}
			if before.State.Ended() {
				t.Fatalf("%s happened to a request that had ended as %s", h.Kind, before.State)
			}
			admitted = admitted || h.Kind == "admitted"
			for _, kind := range told {
				if kind == request.Result {
					results++
				}
			}
			running := after.State == request.Running
			switch {
			case after.State.Ended() == after.EndedAt.IsZero():
				t.Fatalf("%s since %v", after.State, after.EndedAt)
			case running && (after.Plan == nil || after.Step >= len(after.Plan.Steps)):
				t.Fatalf("running step %d of %+v", after.Step, after.Plan)
			case running && after.Preview:
				t.Fatal("a preview is running")
			case running && len(after.Reviews) < after.Plan.Approval.Count && !after.Alone():
				t.Fatal("running without the approval that the plan demands")
			case !after.State.Ended() && results > 0:
				t.Fatal("a result before the end")
			}
			if !after.State.Ended() || !admitted {
				return
			}
			// The plan is what a preview was asked for, and a decision is told where
			// it was asked for: they need no other result.
			shown := after.Preview && after.State == request.Succeeded ||
				after.StartedAt.IsZero() && slices.Contains([]string{"rejected", "withdrawn", "expired", "voided"}, h.Kind) // its requester was told that it wasn't taken
			if want := 1; results != want && (!shown || results > want) {
				t.Fatalf("%d results at the end as %s, want %d", results, after.State, want)
			}
			if !slices.Contains(told, request.Card) {
				t.Fatalf("the card isn't brought up to date at the end as %s", after.State)
			}
		})
	})
}

func TestNobodySeesARequestThatWasntAdmitted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		admitted := false
		life(t, func(_, after request.Request, h bot.Happening, told []string) {
			admitted = admitted || h.Kind == "admitted"
			if admitted {
				return
			}
			for _, kind := range told {
				if kind != request.Private && kind != request.Pointer {
					t.Fatalf("%s tells a %s in public", h.Kind, kind)
				}
			}
			if after.State.Ended() && len(told) == 0 && h.Kind != "voided" { // who asked for that has been told already
				t.Fatalf("%s ends it and the asker isn't told", h.Kind)
			}
		})
	})
}

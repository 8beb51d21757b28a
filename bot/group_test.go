package bot_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/ops"
)

// splitting makes an operation's people requests of their own.
func splitting(o ops.Operation) ops.Operation {
	o.Split = "people"
	look := o.Plan
	o.Plan = func(ctx context.Context, r ops.Request, p ops.Progress) (ops.Plan, error) {
		plan, err := look(ctx, r, p)
		plan.Target = fmt.Sprint(r.Inputs["people"])
		return plan, err
	}
	return o
}

func (h *house) group(user string, people ...string) []request.Request {
	h.t.Helper()
	first := h.asking(bot.Asking{Operation: "tidy-up", Asker: by(user), Inputs: ops.Inputs{"people": people, "reason": {"dust"}}})
	list, err := h.Store.OnCard(h.t.Context(), first.ID)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(list) != len(people) || list[0].ID != first.ID {
		h.t.Fatalf("under one card are %d requests, want %d", len(list), len(people))
	}
	return list
}

func TestEachOfAGroupIsARequestOfItsOwn(t *testing.T) {
	t.Parallel()
	s := &shelf{plan: *planOf(1)}
	h := hall(t, 1, splitting(s.operation()))
	list := h.group("U1", "a", "b", "c", "d")
	for i, name := range []string{"a", "b", "c", "d"} {
		same(t, "the inputs", ops.Inputs{"people": {name}, "reason": {"dust"}}, list[i].Inputs)
		list[i] = h.reach(list[i].ID, request.Waiting)
		for _, m := range h.told(list[i].ID) {
			if m.Kind == request.Pointer && i > 0 {
				t.Error("the asker is pointed to the card more than once")
			}
			if m.Kind == request.Plan && m.Thread != list[0].ID {
				t.Errorf("the plan of %s stands in the thread of %s", name, m.Thread)
			}
		}
	}
	// A button of one doesn't serve another.
	says(t, h.answer(h.clicked(request.Click{Request: list[1].ID, Verb: request.Approve, Asker: by("U2"), Digest: list[0].Plan.Digest()})), "plan has changed")
	h.press("U2", request.Approve, list[0], "")
	h.press("U2", request.Reject, list[1], "Still needed.")
	h.press("U1", request.Withdraw, list[2], "")
	for i, want := range []request.State{request.Succeeded, request.Refused, request.Withdrawn, request.Waiting} {
		h.reach(list[i].ID, want)
	}
	if n := len(s.runs()); n != 1 {
		t.Errorf("%d runs, want that of the first alone", n)
	}
}

func TestOneOfAGroupThatFailsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := &shelf{plan: *planOf(1)}
	operation := s.operation()
	look := operation.Plan
	operation.Plan = func(ctx context.Context, r ops.Request, p ops.Progress) (ops.Plan, error) {
		if r.Inputs["people"][0] == "b" {
			return ops.Plan{}, &ops.Error{Kind: ops.Invalid, What: "There is no b."}
		}
		return look(ctx, r, p)
	}
	h := hall(t, 0, splitting(operation))
	list := h.group("U1", "a", "b", "c")
	for i, want := range []request.State{request.Succeeded, request.Refused, request.Succeeded} {
		if r := h.ended(list[i].ID); r.State != want {
			t.Errorf("%s ended as %s: %s", r.Inputs["people"], r.State, r.Reason)
		}
	}
}

func TestAStrangerWhoAsksForAGroupIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	h := hall(t, 1, splitting((&shelf{}).operation()))
	var told []string
	for _, r := range h.group("U99", "a", "b", "c") {
		if r = h.ended(r.ID); r.State != request.Refused {
			t.Errorf("it ended as %s", r.State)
		}
		told = append(told, kindsOf(h.told(r.ID))...)
	}
	same(t, "what is told", []string{request.Private}, told)
}

func TestOneOfAGroupThatIsTurnedAwayAloneIsTold(t *testing.T) {
	t.Parallel()
	operation := splitting((&shelf{plan: *planOf(1)}).operation())
	operation.Lock = func(r ops.Request) string {
		if r.Inputs["people"][0] == "b" {
			panic("no lock")
		}
		return r.Inputs["people"][0]
	}
	h := hall(t, 1, operation)
	list := h.group("U1", "a", "b", "c")
	if r := h.ended(list[1].ID); r.State != request.Refused {
		t.Errorf("it ended as %s", r.State)
	}
	same(t, "what the asker is told of it", []string{request.Private}, kindsOf(h.told(list[1].ID)))
}

package deleteaccount_test

import (
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// AWS suspends an account by itself. That closes nothing, whenever it happens: the
// run stops and people decide.
func TestAnAccountThatAWSHasSuspendedIsNotClosed(t *testing.T) {
	t.Parallel()
	const says = "AWS has suspended account " + sinkingText + ": its state is SUSPENDED, which isn't CLOSED."
	for _, test := range []struct {
		name, says string
		come       func(*world, *opstest.Walk)
		kind       ops.Kind
	}{
		{"before it is disabled", says, func(w *world, walk *opstest.Walk) { w.look(walk) }, ops.Refused},
		{"in the grace", says, func(w *world, walk *opstest.Walk) { w.graced(walk) }, ops.Refused},
		{"right before it is closed", says, func(w *world, walk *opstest.Walk) { w.until(walk, "close") }, ops.Refused},
		{"while its closing is followed", "is closed. Its state is SUSPENDED now, which isn't CLOSED: AWS itself has suspended it.", func(w *world, walk *opstest.Walk) {
			w.until(walk, "follow")
		}, ops.Unknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			walk := w.walk()
			test.come(w, walk)
			closed := len(w.o.Closed())
			w.o.SetState(sinking, "SUSPENDED", "SUSPENDED")
			was := w.account(sinking)
			w.refused(walk.Run(t.Context()), test.kind, test.says, "AWS's support")
			w.same(was)
			if _, told := walk.Report(); told || len(w.o.Closed()) != closed || strings.Contains(text(walk.Lines()), "change Account "+sinkingText+" is closed.") {
				t.Errorf("closed %v\n%s", w.o.Closed(), text(walk.Lines()))
			}
			w.done()
		})
	}
}

// What AWS has suspended can still be put back to where it was.
func TestAnAccountThatAWSHasSuspendedIsRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk()
	w.graced(walk)
	w.o.SetState(sinking, "SUSPENDED", "")
	if err := walk.Undo(t.Context()); err != nil {
		t.Fatal(err)
	}
	report, _ := walk.Report()
	if a, why := w.account(sinking), report.Sections[0].Outcomes[0].Why; a.Parent != w.ponds || report.OK() || why != "AWS itself has suspended it, which isn't a closing" {
		t.Errorf("account %+v, report %+v", a, report)
	}
	w.done()
}

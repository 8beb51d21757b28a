package bot_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
)

// What a process was calling when it died stands in nobody's log, so the next one
// tells it; and the step can ask whether a call may have been made.
func TestWhatADeadProcessWasCallingIsTold(t *testing.T) {
	t.Parallel()
	calling := make(chan bool, 1)
	var h *house
	h = open(t, tidy(func(ctx context.Context, run ops.Run) error {
		for _, call := range []ops.Call{
			{Service: "iam", Action: "DeleteLoginProfile", Target: "UserName=ann"},
			{Service: "iam", Action: "DeleteLoginProfile", Target: "UserName=ann", Outcome: "done"},
			{Service: "iam", Action: "DeleteUser", Target: "UserName=ann"},
		} {
			if err := h.Called(ctx, run.Request(), call); err != nil {
				return err
			}
		}
		calling <- true
		<-ctx.Done()
		return ctx.Err()
	}))
	asked := h.ask()
	<-calling
	attempted := map[string]bool{}
	h.crash(tidy(func(ctx context.Context, run ops.Run) error {
		for _, action := range []string{"DeleteLoginProfile", "DeleteUser", "CreateUser"} {
			was, err := run.Attempted(ctx, "iam", action)
			if err != nil {
				return err
			}
			attempted[action] = was
		}
		return nil
	}))
	if r := h.ended(asked.ID); r.State != request.Succeeded {
		t.Fatalf("it ended as %s: %s", r.State, r.Reason)
	}
	same(t, "the log", []string{"The bot was stopped while it called iam DeleteUser (UserName=ann): AWS may have done it."}, h.lines(asked.ID))
	same(t, "attempted", map[string]bool{"DeleteLoginProfile": true, "DeleteUser": true, "CreateUser": false}, attempted)
}

// A step that wakes up when another process has its request can record nothing
// that it is about to do, remember nothing, tell nothing and end nothing.
func TestWhoHasLostARequestChangesNothing(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan bool, 1), make(chan bool)
	faults := make(chan map[string]error, 1)
	var h *house
	h = open(t, tidy(func(ctx context.Context, run ops.Run) error {
		begun <- true
		<-goOn
		faults <- map[string]error{
			"calling":  h.Called(ctx, run.Request(), ops.Call{Service: "iam", Action: "DeleteUser"}),
			"remember": run.Remember(ctx, "key", 1),
			"log":      run.Log(ctx, ops.Line{Text: "done"}),
			"report":   run.Report(ctx, ops.Report{Summary: "done"}),
			"undo":     run.OfferUndo(ctx, noon),
		}
		return nil
	}))
	r := h.ask()
	<-begun
	// A newer job takes it over, as another process would once the lease is over.
	if got, err := h.Store.Claim(t.Context(), r.ID, 1<<40, time.Now().Add(time.Hour), time.Hour); err != nil || !got {
		t.Fatal(got, err)
	}
	close(goOn)
	for what, err := range <-faults {
		if !errors.Is(err, store.ErrLost) {
			t.Errorf("%s: %v, want ErrLost", what, err)
		}
	}
	h.mustStop()
	if now := h.request(r.ID); now.State != request.Running || now.Step != 0 {
		t.Errorf("it is %s at step %d", now.State, now.Step)
	}
	same(t, "the log", []string{}, h.lines(r.ID))
}

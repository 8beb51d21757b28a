package deleteaccount_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

// halting is a desk that stops the run before calls of the actions, for the reason.
func halting(actions map[string]bool, why error) awsaccess.Recorder {
	return func(_ context.Context, _ ops.Request, call ops.Call) error {
		if call.Outcome == "" && actions[call.Action] {
			return &ops.HaltError{Err: why}
		}
		return nil
	}
}

// asking is a desk that makes the plan anew before each change, and stops the run
// where that is refused or shows something new.
func (w *world) asking(walk *opstest.Walk, shown ops.Plan) awsaccess.Recorder {
	return func(ctx context.Context, _ ops.Request, call ops.Call) error {
		if call.Outcome != "" {
			return nil
		}
		r := walk.Request
		r.Shown = &shown
		plan, err := w.settings.Operation(awsaccess.New(w.base), w.client(), "").Plan(ctx, r, func(string, ...any) {})
		if err == nil && len(plan.Beyond(shown))+len(plan.NewTerms(shown)) > 0 {
			err = errors.New("it is another plan")
		}
		if err != nil {
			return &ops.HaltError{Err: err}
		}
		return nil
	}
}

// A run that the desk stops before a change makes no further one, whatever the
// desk met: an error of AWS's within it is not AWS's answer to the call.
func TestHalted(t *testing.T) {
	t.Parallel()
	for _, action := range []string{"TagResource", "MoveAccount", "CloseAccount"} {
		for name, why := range map[string]error{
			"a person left":        errors.New("nobody may"),
			"trouble":              &ops.Error{Kind: ops.Unavailable, Passing: true, What: "GitHub is down."},
			"a quota elsewhere":    &types.ConstraintViolationException{Reason: types.ConstraintViolationExceptionReasonCloseAccountQuotaExceeded},
			"a conflict":           &types.ConflictException{},
			"an account elsewhere": &types.AccountNotFoundException{},
			"closed already":       &types.AccountAlreadyClosedException{},
		} {
			t.Run(action+", for "+name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.modes(true, true, 0)
				w.record = halting(map[string]bool{action: true}, why)
				walk := w.walk()
				err := walk.Run(t.Context())
				if halt, ok := errors.AsType[*ops.HaltError](err); !ok || halt.Err != why {
					t.Errorf("got %v", err)
				}
				if n := w.aws.Count("organizations:" + action); n > 0 {
					t.Errorf("%d calls of %s", n, action)
				}
				if told := text(walk.Lines()); strings.Contains(told, "warning") || len(walk.Waits()) > 0 || len(w.o.Closed()) > 0 {
					t.Errorf("told %s", told)
				}
				// Once the desk lets it, it goes on from there.
				w.record = nil
				walk.Restart()
				if report := w.run(walk); !report.OK() {
					t.Errorf("report %+v", report)
				}
				w.done()
			})
		}
	}
}

// What is protected in the last moment, or has come into use again, isn't changed.
func TestAskedAgainBeforeEachChange(t *testing.T) {
	t.Parallel()
	changes := []struct {
		name   string
		change func(*world)
	}{
		{"it is protected", func(w *world) { w.settings.Protected.Accounts = []string{sinking} }},
		{"its unit is protected", func(w *world) { w.settings.Protected.OUs = []string{w.ponds} }},
		{"it is in Terraform again", func(w *world) {
			w.github.Commit(repo, "main", map[string]string{accounts: "id = \"" + sinking + "\"\n"}, "Again")
		}},
		{"the grace is another", func(w *world) { w.settings.Grace = time.Hour }},
		{"it was renamed", func(w *world) { w.o.ChangeAccount(sinking, func(a *awstest.OrgAccount) { a.Name = "pond-live" }) }},
	}
	steps := map[string]string{"disable": "TagResource", "close": "CloseAccount", "archive": "MoveAccount"}
	for step, action := range steps {
		for _, change := range opstest.SomeOf(t, changes, 2) {
			t.Run(change.name+" before the step "+step, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				walk := w.walk()
				w.record = w.asking(walk, w.look(walk))
				walk.Restart()
				w.until(walk, step)
				done, was := w.aws.Count("organizations:"+action), w.account(sinking)
				change.change(w)
				was.Name = w.account(sinking).Name
				if err := walk.Run(t.Context()); !ops.Halted(err) {
					t.Errorf("got %v", err)
				}
				if n := w.aws.Count("organizations:" + action); n != done {
					t.Errorf("%d calls of %s, %d before", n, action, done)
				}
				w.same(was)
				w.done()
			})
		}
		if step == "archive" {
			continue // an account that is closed administers nothing
		}
		t.Run("it administers a service before the step "+step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			walk := w.walk()
			w.record = w.asking(walk, w.look(walk))
			walk.Restart()
			w.until(walk, step)
			w.o.RegisterDelegatedAdministrator(sinking, "config.amazonaws.com")
			if err := walk.Run(t.Context()); !ops.Halted(err) || len(w.o.Closed()) > 0 {
				t.Errorf("got %v, closed %v", err, w.o.Closed())
			}
			w.done()
		})
	}
	t.Run("nothing has changed", func(t *testing.T) {
		t.Parallel()
		for _, way := range ways {
			w := newWorld(t)
			w.modes(way.disabled, way.closed, way.grace)
			walk := w.walk()
			w.record = w.asking(walk, w.look(walk))
			walk.Restart()
			if report := w.run(walk); !report.OK() {
				t.Errorf("%s: report %+v", way.name, report)
			}
			w.done()
		}
	})
}

// Each try to close is one call that the desk is asked about.
func TestEachTryIsAskedAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	asked := 0
	w.record = func(_ context.Context, _ ops.Request, call ops.Call) error {
		if call.Action == "CloseAccount" && call.Outcome == "" {
			asked++
		}
		return nil
	}
	walk := w.atClosing()
	w.aws.Fail("organizations:CloseAccount", awstest.Fault{Code: "TooManyRequestsException", Times: 2})
	w.aws.Fail("organizations:CloseAccount", awstest.Fault{Code: "ServiceException", Times: 2})
	w.run(walk)
	if n := w.aws.Count("organizations:CloseAccount"); n != 5 || asked != 5 {
		t.Errorf("%d calls of CloseAccount, asked %d times", n, asked)
	}
	w.done()
}

// AWS's refusals are waited for as long as was approved, and people can see until
// when, and what they can do.
func TestTheWaitForAWSEnds(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		reason, says string
	}{
		{"CLOSE_ACCOUNT_QUOTA_EXCEEDED", "the organisation's quota of closures in 30 days is used up"},
		{"CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED", "too many accounts are being closed at once"},
		{"", "something else is being done to it"},
	} {
		for _, disabled := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, of a disabled account: %v", test.says, disabled), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.modes(disabled, true, 0)
				w.settings.Repository = ""
				walk := w.walk()
				w.until(walk, "close")
				fault := constraint(test.reason)
				if test.reason == "" {
					fault = awstest.Fault{Code: "ConflictException"}
				}
				w.aws.Fail("organizations:CloseAccount", fault)
				began := w.clock.Now()
				if err := walk.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
				waits := walk.Waits()
				said := waits[len(waits)-1]
				for _, part := range []string{
					"AWS doesn't close account " + sinkingText + " yet: " + test.says + ". The bot tries again at ", "goes on until " + at(began.Add(30*day)) + ".",
				} {
					if !strings.Contains(said.For, part) {
						t.Errorf("waits for %q, want %q", said.For, part)
					}
				}
				if restorable := strings.Contains(said.For, "a member can press Restore"); restorable != disabled || walk.Offered().IsZero() == disabled {
					t.Errorf("waits for %q, and restoring is offered until %v", said.For, walk.Offered())
				}
				if late := said.Until.Sub(began.Add(30 * day)).Abs(); late > time.Minute || said.Person {
					t.Errorf("waits %+v", said)
				}
				for range 14 { // the bot is down most of the time
					w.clock.Advance(2*day + 2*time.Hour)
					before := w.clock.Now()
					if err := walk.Step(t.Context()); err != nil {
						t.Fatal(err)
					}
					if waited := w.clock.Now().Sub(before); waited < time.Hour || waited > time.Hour+time.Minute {
						t.Errorf("after a day it is tried again after %v", waited)
					}
				}
				w.refused(walk.Run(t.Context()), ops.Unavailable, "AWS refused for 30 days to close account "+sinkingText+": "+test.says+".")
				if took := w.clock.Now().Sub(began); took < 30*day || took > 30*day+time.Hour {
					t.Errorf("waited for %v", took)
				}
			})
		}
	}
}

// Without a grace, while the closing is followed, people are told what AWS does.
func TestFollowingIsTold(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.atClosing()
	began := w.clock.Now()
	w.run(walk)
	waits := walk.Waits()
	want := "AWS accepted on " + at(began) + " that account " + sinkingText + " is closed. AWS takes hours for that, at times days; the account's state is PENDING_CLOSURE now."
	if len(waits) == 0 || waits[0].For != want || waits[0].Until.Sub(began.Add(7*day)).Abs() > time.Minute {
		t.Errorf("waits %+v, want %s", waits, want)
	}
	w.done()
}

package scimsync_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// What can't be known is left to people; what was refused may be tried again.
func TestInvokeWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault awstest.Fault
		runs  int
	}{
		{"the connection is cut before", awstest.Fault{Cut: true}, 0},
		{"the connection is cut after", awstest.Fault{CutAfter: true}, 1},
		{"Lambda never answers", awstest.Fault{Hang: true}, 0},
		{"Lambda answers 500", awstest.Fault{Code: "ServiceException"}, 0},
		{"Lambda answers 502", awstest.Fault{Code: "EC2UnexpectedException", Status: 502}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			if test.fault.Hang {
				w.base.HTTPClient = awshttp.NewBuildableClient().WithTimeout(time.Second)
			}
			w.aws.AddLogGroup(logGroup)
			w.aws.Fail("lambda:InvokeFunction", test.fault)
			walk := w.walk()
			walk.Fresh = true
			err := walk.Run(t.Context())
			seen := "Its log shows no run since then."
			if test.runs > 0 {
				seen = "Its log shows 1 run since then: request ID " + w.aws.Invocations(function)[0].RequestID + ". Scheduled runs look the same."
			}
			refused(t, err, ops.Unknown, "No answer came from Lambda to the call sent at ", "it isn't known whether "+function+" was run. It was not called a second time.", seen, "/scim-sync plan")
			// The step stays what it is, however often it is called.
			w.aws.Heal("*")
			for range 3 {
				refused(t, walk.Step(t.Context()), ops.Unknown)
			}
			if n := len(w.aws.Invocations(function)); n != test.runs {
				t.Errorf("the function ran %d times, want %d", n, test.runs)
			}
			w.done(1)
		})
	}
}

func TestInvokeWithoutAnAnswerAndWithoutALog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.Fail("lambda:InvokeFunction", awstest.Fault{Cut: true})
	w.aws.Fail("logs:FilterLogEvents", awstest.Fault{Code: "ServiceUnavailableException"})
	refused(t, w.walk().Run(t.Context()), ops.Unknown, "Its log couldn't be read either.")
	w.done(1)
}

// Lambda's JSON format has other words for the start of a run.
func TestInvokeWithoutAnAnswerAndALogInJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.aws.Fail("lambda:InvokeFunction", awstest.Fault{Cut: true})
	const id = "6f1f7a5e-8b5c-4c53-9d0f-0f6f5d4e3c2b"
	walk := w.walk()
	walk.Waiting = func(context.Context) error {
		if len(w.aws.Log(logGroup)) == 0 {
			w.aws.PutLogEvent(logGroup, "2026/01/02/[$LATEST]0123", jsonStart(id))
		}
		return nil
	}
	refused(t, walk.Run(t.Context()), ops.Unknown, "Its log shows 1 run since then: request ID "+id)
	w.done(1)
}

// A call that Lambda certainly didn't take is a plain failure, and may be tried
// again by people.
func TestInvokeRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault awstest.Fault
		parts []string
	}{
		{"the function is missing", awstest.Fault{Code: "ResourceNotFoundException", Status: 404}, []string{"There is no Lambda function aws-sso-scim-github in eu-west-2.", "operations.scim-sync.function"}},
		{"access is denied", awstest.Fault{Code: "AccessDeniedException"}, []string{"AWS refused lambda:InvokeFunction to the role " + actRole + "."}},
		{"the request is bad", awstest.Fault{Code: "InvalidParameterValueException", Message: "no"}, []string{"AWS answered lambda:InvokeFunction with InvalidParameterValueException: no."}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.fault.Times = 1
			w.aws.Fail("lambda:InvokeFunction", test.fault)
			walk := w.walk()
			err := walk.Run(t.Context())
			refused(t, err, ops.Unavailable, test.parts...)
			speaksOfThePast(t, err)
			if n := len(w.aws.Invocations(function)); n != 0 {
				t.Errorf("the function ran %d times", n)
			}
			w.done(1) // the refused one: it isn't tried twice
			walk.Restart()
			if report := w.run(walk); !report.OK() {
				t.Errorf("problems %v", report.Problems)
			}
			if n := len(w.aws.Invocations(function)); n != 1 {
				t.Errorf("the function ran %d times", n)
			}
			w.done(2)
		})
	}
	t.Run("the function of the settings isn't there", func(t *testing.T) {
		w := newWorld(t)
		w.settings.Function = "nothing-here"
		w.role(actRole, w.fill(w.operation().Access.Act))
		refused(t, w.walk().Run(t.Context()), ops.Unavailable, "There is no Lambda function nothing-here in eu-west-2.")
		w.done(1)
	})
	t.Run("Lambda is away", func(t *testing.T) {
		w := newWorld(t)
		walk := w.walk()
		if _, err := walk.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.aws.Close()
		refused(t, walk.Run(t.Context()), ops.Unavailable, "could not be reached")
	})
}

// Trouble that may pass before Lambda took the call is waited out, and the result is
// compared with what held right before the call that was taken.
func TestInvokeIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, action string
		fault        awstest.Fault
		told         string
		calls        int
	}{
		{
			"Lambda is throttling", "lambda:InvokeFunction",
			awstest.Fault{Code: "TooManyRequestsException", Status: 429, Times: 2},
			"This is tried again every two minutes: AWS is throttling lambda:InvokeFunction", 3,
		},
		{
			"the function is being changed", "lambda:InvokeFunction",
			awstest.Fault{Code: "ResourceConflictException", Status: 409, Times: 1},
			"This is tried again every two minutes: Lambda takes no call of " + function + " now: the function is being changed.", 2,
		},
		{
			"STS is away", "sts:AssumeRole",
			awstest.Fault{Code: "ServiceUnavailable", Status: 503, Times: 6},
			"This is tried again every two minutes: ", 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			walk := w.walk()
			if _, err := walk.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.aws.Fail(test.action, test.fault)
			w.meanwhile(walk, func() { w.store.RemoveMember("security", "octocat"+suffix) })
			if report := w.run(walk); !report.OK() || report.Count(ops.Confirmed) != 6 {
				t.Errorf("report %+v", report)
			}
			if !strings.Contains(text(walk.Lines()), "warning "+test.told) {
				t.Errorf("no %q in\n%s", test.told, text(walk.Lines()))
			}
			if n := len(w.aws.Invocations(function)); n != 1 {
				t.Errorf("the function ran %d times", n)
			}
			w.done(test.calls)
		})
	}
}

// What the desk stops before the call wasn't made: it isn't looked for in the log,
// and the step makes the call when the desk lets it.
func TestDeskStopsTheCall(t *testing.T) {
	t.Parallel()
	t.Run("before it is made", func(t *testing.T) {
		w := newWorld(t)
		halt := &ops.HaltError{Err: errors.New("the plan has changed")}
		w.record = func(context.Context, ops.Request, ops.Call) error { return halt }
		walk := w.walk()
		if err := walk.Run(t.Context()); !errors.Is(err, halt) {
			t.Fatalf("got %v, want the desk's own error", err)
		}
		if err := walk.Step(t.Context()); !ops.Halted(err) {
			t.Errorf("the second time: %v", err)
		}
		w.done(0)
		// The run goes by the plan that people are shown next.
		w.record = nil
		w.github.AddMember("security", "octocat")
		if _, err := walk.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		walk.Restart()
		if report := w.run(walk); !report.OK() || strings.Contains(strings.Join(truth(report), "\n"), "after the plan was made") {
			t.Errorf("report %+v", report)
		}
		w.done(1)
	})
	t.Run("for want of an answer in time", func(t *testing.T) {
		w := newWorld(t)
		w.record = func(ctx context.Context, _ ops.Request, _ ops.Call) error {
			<-ctx.Done()
			return ctx.Err()
		}
		walk := w.walk()
		if _, err := walk.Look(t.Context()); err != nil {
			t.Fatal(err)
		}
		limited, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := walk.Step(limited); err == nil {
			t.Fatal("the step succeeded")
		}
		w.done(0)
	})
	t.Run("after a look that takes longer than Lambda may", func(t *testing.T) {
		w := newWorld(t)
		w.record = func(ctx context.Context, _ ops.Request, _ ops.Call) error {
			if until, ok := ctx.Deadline(); ok {
				return &ops.HaltError{Err: fmt.Errorf("the desk has only until %v", until)}
			}
			return nil
		}
		if report := w.run(w.walk()); !report.OK() {
			t.Errorf("problems %v", report.Problems)
		}
		w.done(1)
	})
}

func TestEveryStepMayRunTwice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	walk := w.walk("mona")
	walk.Twice, walk.Fresh = true, true
	if report := w.run(walk); !report.OK() || report.Count(ops.Confirmed) != 8 {
		t.Errorf("report %+v", report)
	}
	if n := len(w.aws.Invocations(function)); n != 1 {
		t.Errorf("the function ran %d times", n)
	}
	w.synced()
	w.done(1)
}

// Wherever the process dies, the run goes on or says that it can't be known;
// the function is never invoked a second time.
func TestProcessDiesAnywhere(t *testing.T) {
	t.Parallel()
	const points = 20
	unknown := 0
	for point := 1; point <= points; point++ {
		w := newWorld(t)
		walk := w.walk("octocat")
		walk.Kill = point
		err := walk.Run(t.Context())
		if walk.Points() < point {
			t.Fatalf("only %d points", walk.Points())
		}
		if n := len(w.aws.Invocations(function)); n > 1 {
			t.Errorf("killed at point %d: the function ran %d times", point, n)
		}
		if err != nil {
			unknown++
			refused(t, err, ops.Unknown, "It was not called a second time.")
			if n := w.aws.Count("lambda:InvokeFunction"); n > 1 {
				t.Errorf("killed at point %d: %d calls", point, n)
			}
			continue
		}
		report := w.report(walk)
		if !report.OK() || report.Count(ops.Confirmed) != 9 {
			t.Errorf("killed at point %d: %+v", point, report)
		}
		log := text(walk.Lines())
		if strings.Count(log, "START RequestId") != 1 || strings.Count(log, "REPORT RequestId") != 1 || strings.Count(log, "Lambda took the call") > 1 {
			t.Errorf("killed at point %d: log\n%s", point, log)
		}
		w.done(1)
	}
	// After the note that the call is being sent, before and after the call.
	if unknown != 2 {
		t.Errorf("%d times it wasn't known whether the function was run, want 2", unknown)
	}
}

// The result can't be read for a while, or at all.
func TestResultUnread(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault awstest.Fault
		ok    bool
	}{
		{"for a while", awstest.Fault{Code: "InternalServerException", Times: 24}, true},
		{"at all", awstest.Fault{Code: "InternalServerException"}, false},
		{"for want of permission", awstest.Fault{Code: "AccessDeniedException"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			walk := w.walk()
			if _, err := walk.Look(t.Context()); err != nil {
				t.Fatal(err)
			}
			for walk.At() != "check" {
				if err := walk.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			w.aws.Fail("identitystore:ListUsers", test.fault)
			err := walk.Run(t.Context())
			if test.ok {
				if report := w.report(walk); err != nil || !report.OK() {
					t.Errorf("%v, %+v", err, report)
				}
				return
			}
			id := w.aws.Invocations(function)[0].RequestID
			refused(t, err, ops.Unknown, "The function has run (request ID "+id+"), but its result couldn't be read back.", "identitystore:ListUsers", "/scim-sync plan")
			w.done(1)
		})
	}
}

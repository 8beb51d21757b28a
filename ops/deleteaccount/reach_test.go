package deleteaccount_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// Cost Explorer is not what a closure hangs on.
func TestCostExplorerMayBeOutOfReach(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		ruin func(*world)
		want string
	}{
		{"refused", func(w *world) { w.aws.Fail("ce:GetCostAndUsage", awstest.Fault{Code: "AccessDeniedException"}) }, "What it costs is not known: AWS refused "},
		{"not enabled", func(w *world) { w.aws.CostExplorer().SetEnabled(false) }, "What it costs is not known: "},
		{"without data", func(w *world) { w.aws.CostExplorer().SetIngested(false) }, "What it costs is not known: AWS answered ce:GetCostAndUsage with DataUnavailableException"},
		{"down", func(w *world) { w.aws.Fail("ce:GetCostAndUsage", awstest.Fault{Code: "InternalServerException"}) }, "What it costs is not known: "},
		{"cut off", func(w *world) { w.aws.Fail("ce:GetCostAndUsage", awstest.Fault{Cut: true}) }, "What it costs is not known: AWS could not be reached"},
		{"throttling", func(w *world) { w.aws.Fail("ce:GetCostAndUsage", awstest.Fault{Code: "ThrottlingException"}) }, "What it costs is not known: AWS is throttling"},
		{"down after last month's costs", func(w *world) { w.aws.Fail("ce:GetCostAndUsage", awstest.Fault{Cut: true, Skip: 1}) }, "What it costs is not known: "},
		{"down after both months' costs", func(w *world) { w.aws.Fail("ce:GetCostAndUsage", awstest.Fault{Cut: true, Skip: 2}) }, "When it was last used is not known: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			test.ruin(w)
			plan := w.look(w.walk())
			if !warned(plan, test.want) {
				t.Errorf("warnings %q, want %q", plan.Warnings, test.want)
			}
			if warned(plan, "Internal error") || warned(plan, "Ask its owner") {
				t.Errorf("warnings %q", plan.Warnings)
			}
			if len(plan.Effects()) != 4 || fact(plan, "Closed in 30 days") == "" || fact(plan, "Last activity") != "" {
				t.Errorf("plan %+v", plan)
			}
			w.untouched()
		})
	}
	t.Run("silent", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.bubble(-4*time.Minute, func(t *testing.T, _ func(func())) {
			w.meet("GetCostAndUsage", func(r *http.Request) error {
				<-r.Context().Done()
				return errors.New("nobody answered")
			})
			began := time.Now()
			plan := w.look(w.walk())
			if !warned(plan, "What it costs is not known: ") || len(plan.Effects()) != 4 {
				t.Errorf("plan %+v", plan)
			}
			if took := time.Since(began); took > 2*time.Minute {
				t.Errorf("took %v", took)
			}
		})
		w.untouched()
	})
}

// What Organizations asks to be tried later is tried later.
func TestOrganizationsThrottles(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"TooManyRequestsException", "ConcurrentModificationException", "ServiceException"} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.modes(true, true, 0)
			for _, action := range []string{"DescribeAccount", "ListParents", "DescribeOrganizationalUnit", "ListAccounts", "TagResource", "MoveAccount"} {
				w.aws.Fail("organizations:"+action, awstest.Fault{Code: code, Times: 5})
			}
			walk := w.walk()
			w.bubble(-4*time.Minute, func(t *testing.T, _ func(func())) {
				w.look(walk)
				for walk.At() == "disable" {
					if err := walk.Step(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			})
			if a := w.account(sinking); a.Parent != w.disabled {
				t.Errorf("account %+v", a)
			}
			if lines := text(walk.Lines()); strings.Contains(lines, "again") {
				t.Errorf("people were told of it: %s", lines)
			}
			w.done()
		})
	}
	t.Run("for longer than a call is tried", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.modes(true, true, 0)
		walk := w.walk()
		w.until(walk, "disable")
		w.aws.Fail("organizations:MoveAccount", awstest.Fault{Code: "TooManyRequestsException", Times: 15})
		walk.Restart() // the connections of before belong to no bubble
		w.bubble(-4*time.Minute, func(t *testing.T, _ func(func())) {
			for walk.At() == "disable" {
				if err := walk.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
		if lines := text(walk.Lines()); !strings.Contains(lines, "tried again every two minutes: AWS is throttling organizations:MoveAccount") {
			t.Errorf("lines %s", lines)
		}
		if a := w.account(sinking); a.Parent != w.disabled {
			t.Errorf("account %+v", a)
		}
		w.done()
	})
}

// A state that AWS's newer field hasn't is taken from the older one; what neither
// has isn't known, and what isn't known isn't closed.
func TestStates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ state, status, shown, refusal string }{
		{"ACTIVE", "", "ACTIVE", ""},
		{"", "ACTIVE", "ACTIVE", ""},
		{"ACTIVE", "SUSPENDED", "ACTIVE", ""},
		{"PENDING_CLOSURE", "ACTIVE", "", "is being closed already."},
		{"", "PENDING_CLOSURE", "", "is being closed already."},
		{"SUSPENDED", "", "", "AWS has suspended account " + sinkingText + ": its state is SUSPENDED, which isn't CLOSED. The bot closes active accounts only. Ask AWS's support why"},
		{"SUSPENDED", "SUSPENDED", "", "AWS has suspended account"},
		{"CLOSED", "SUSPENDED", "", "is closed already; its state is CLOSED."},
		{"CLOSED", "ACTIVE", "", "is closed already; its state is CLOSED."},
		{"", "SUSPENDED", "", "is closed already; its state is CLOSED."},
		{"", "", "", "is unknown, so it isn't known whether it can be closed."},
		{"HIBERNATING", "ACTIVE", "", "is HIBERNATING, so it isn't known whether it can be closed."},
		{"PENDING_ACTIVATION", "ACTIVE", "", "is PENDING_ACTIVATION, so it isn't known"},
	} {
		t.Run(test.state+" "+test.status, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.o.SetState(sinking, test.state, test.status)
			plan, err := w.walk().Look(t.Context())
			if test.refusal != "" {
				w.refused(err, ops.Refused, sinkingText, test.refusal)
			} else if err != nil || fact(plan, "State") != test.shown || len(plan.Effects()) != 4 {
				t.Errorf("%v, plan %+v", err, plan)
			}
			w.untouched()
		})
	}
}

package removeuser_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awstest"
)

// bubble has waits cost nothing that the clients make themselves. The servers
// stand outside; a connection is never kept, for time would stand still with it.
func (w *world) bubble(do func(*testing.T)) {
	now := time.Now()
	w.next = &http.Transport{DisableKeepAlives: true}
	w.base.HTTPClient = awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })
	synctest.Test(w.T, func(t *testing.T) {
		<-time.After(time.Until(now)) // a bubble's time begins in 2000
		do(t)
	})
}

// What IAM asks to be tried later is tried later.
func TestTriedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		code, action  string
		status, times int
	}{
		{"ConcurrentModification", "AttachUserPolicy", 0, 4},
		{"ConcurrentModification", "UpdateAccessKey", 0, 4},
		{"ConcurrentModification", "DeleteServiceSpecificCredential", 0, 4},
		{"EntityTemporarilyUnmodifiable", "DeleteLoginProfile", 0, 4},
		{"Throttling", "TagUser", 0, 4},
		{"Throttling", "ListAccessKeys", 0, 4},
		{"ServiceFailure", "DetachUserPolicy", 0, 4},
		// More often than the SDK tries: the step goes on.
		{"ServiceUnavailable", "DetachUserPolicy", 503, 9},
		{"InternalError", "RemoveUserFromGroup", 500, 9},
		{"RequestTimeout", "DeactivateMFADevice", 408, 9},
		{"EntityTemporarilyUnmodifiable", "DeleteUser", 409, 9},
	} {
		t.Run(test.code+" at "+test.action, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			w.settings.Grace = 0
			w.aws.Fail("iam:"+test.action, awstest.Fault{Code: test.code, Status: test.status, Times: test.times})
			w.bubble(func(t *testing.T) {
				if err := w.walk().Run(t.Context()); err != nil {
					t.Error(err)
				}
			})
			if _, ok := w.iam.User(leaver); ok {
				t.Error("the user is still there")
			}
			w.done()
		})
	}
}

// The quarantine, which is the most urgent step of all, goes on trying while the
// trouble may pass, and says so; but not for ever.
func TestQuarantineIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		action string
		fault  awstest.Fault
	}{
		{"while IAM is throttling deny-all", "AttachUserPolicy", awstest.Fault{Code: "Throttling", Times: 20}},
		{"while IAM answers 503 to deny-all", "AttachUserPolicy", awstest.Fault{Code: "ServiceFailure", Status: 503, Times: 20}},
		{"while IAM is throttling a key", "UpdateAccessKey", awstest.Fault{Code: "Throttling", Times: 20}},
		{"while IAM can't be read", "GetUser", awstest.Fault{Code: "ServiceFailure", Status: 503, Times: 20, Skip: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, iamMode)
			walk := w.walk()
			w.look(walk)
			w.aws.Fail("iam:"+test.action, test.fault)
			walk.Restart()
			w.bubble(func(t *testing.T) {
				for walk.At() == "quarantine" {
					if err := walk.Step(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
			})
			if told := text(walk.Lines()); !w.iam.Powerless(leaver) || !strings.Contains(told, "warning This is tried again every two minutes: AWS") {
				t.Errorf("powerless %v; told\n%s", w.iam.Powerless(leaver), told)
			}
			w.done()
		})
	}
	t.Run("for six hours", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, iamMode)
		w.aws.Fail("iam:UpdateAccessKey", awstest.Fault{Code: "Throttling"})
		walk := w.walk()
		waiting := walk.Waiting
		walk.Waiting = func(context.Context) error { walk.Restart(); w.clock.Advance(time.Hour); return nil }
		w.bubble(func(t *testing.T) {
			began := w.clock.Now()
			w.refused(walk.Run(t.Context()), ops.Unavailable, "AWS is throttling iam:UpdateAccessKey", "Try again")
			if took := w.clock.Now().Sub(began); took < 6*time.Hour || took > 8*time.Hour {
				t.Errorf("took %v", took)
			}
		})
		walk.Waiting = waiting
		// Deny-all is there, and the rest is done when it is called again.
		if u := w.user(leaver); !slices.Contains(u.Attached, awstest.AWSDenyAll) {
			t.Errorf("attached %v", u.Attached)
		}
		w.aws.Heal("*")
		if report := w.run(walk); !report.OK() {
			t.Errorf("report %+v", report)
		}
		w.done()
	})
}

// How long a trouble may last counts from its beginning, not from that of a step
// which had waited for days.
func TestTroubleAfterALongWait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, terraformMode)
	walk := w.walk()
	w.until(walk, "merge")
	walk.Waiting = nil
	if err := walk.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(30 * time.Hour)
	walk.Restart()
	if err := w.github.Merge(repo, 1, "ann"); err != nil {
		t.Fatal(err)
	}
	w.aws.Fail("iam:GetUser", awstest.Fault{Code: "Throttling", Times: 8})
	w.bubble(func(t *testing.T) {
		if err := walk.Step(t.Context()); err != nil {
			t.Errorf("step %q: %v", walk.At(), err)
		}
	})
	if told := text(walk.Lines()); !strings.Contains(told, "This is tried again every two minutes: AWS is throttling iam:GetUser") {
		t.Errorf("told\n%s", told)
	}
	walk.Restart()
	walk.Waiting = func(context.Context) error { walk.Restart(); w.mergeAndApply(); return nil }
	if report := w.run(walk); !report.OK() {
		t.Errorf("report %+v", report)
	}
	w.done()
}

package deleteaccount_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
	"github.com/aws-root-account/rootbot/ops/awstest"
	"github.com/aws-root-account/rootbot/ops/opstest"
)

func constraint(reason string) awstest.Fault {
	return awstest.Fault{Code: "ConstraintViolationException", Reason: reason, Message: "The text may say anything."}
}

// atClosing walks to where the account is to be closed.
func (w *world) atClosing() *opstest.Walk {
	w.Helper()
	w.modes(true, true, 0)
	walk := w.walk()
	w.until(walk, "close")
	return walk
}

// What time heals is waited for, and people are told until when.
func TestCloseAccountIsWaitedFor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		fault  awstest.Fault
		said   string
		waited time.Duration // each time
	}{
		{"the quota of 30 days", constraint("CLOSE_ACCOUNT_QUOTA_EXCEEDED"), "the organisation's quota of closures in 30 days is used up", time.Hour},
		{"the limit of closures at once", constraint("CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED"), "too many accounts are being closed at once", 15 * time.Minute},
		{"a conflict", awstest.Fault{Code: "ConflictException"}, "something else is being done to it", 2 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			walk := w.atClosing()
			test.fault.Times = 9
			w.aws.Fail("organizations:CloseAccount", test.fault)
			began := w.clock.Now()
			w.until(walk, "follow")
			if waited := w.clock.Now().Sub(began); waited < 9*test.waited || waited > 9*test.waited+time.Minute {
				t.Errorf("waited for %v", waited)
			}
			want := "warning AWS doesn't close account " + sinkingText + " yet: " + test.said + ". The bot tries again at " + at(began.Add(test.waited)) + ", and goes on until " + at(began.Add(30*day)) + "."
			if told := text(walk.Lines()); strings.Count(told, "doesn't close account") != 1 || !strings.Contains(told, want) {
				t.Errorf("told\n%s\nwant %s", told, want)
			}
			if report := w.run(walk); !report.OK() || len(w.o.Closed()) != 1 {
				t.Errorf("report %+v", report)
			}
			w.done()
		})
	}
	t.Run("without a unit for disabled accounts, what waits can be withdrawn", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.settings.DisabledOU, w.settings.Grace = "", 0
		walk := w.walk()
		w.look(walk)
		w.aws.Fail("organizations:CloseAccount", constraint("CLOSE_ACCOUNT_QUOTA_EXCEEDED"))
		if err := walk.Step(t.Context()); err != nil || !walk.Offered().IsZero() {
			t.Errorf("%v; Restore is offered until %v", err, walk.Offered())
		}
		if told := text(walk.Lines()); !strings.Contains(told, "Until AWS accepts, it can be withdrawn.") {
			t.Errorf("told\n%s", told)
		}
	})
	t.Run("the real quota, to the end of a month", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.o.SetClosingLimits(1, 1)
		began := w.clock.Now()
		w.elsewhere(rooted)
		w.clock.Advance(29 * day)
		walk := w.atClosing()
		if report := w.run(walk); !report.OK() {
			t.Errorf("report %+v", report)
		}
		if waited := w.clock.Now().Sub(began); waited < 30*day || waited > 31*day {
			t.Errorf("waited for %v", waited)
		}
	})
	t.Run("the real limit of closures at once", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.atClosing()
		w.o.SetClosingLimits(-1, 1)
		w.elsewhere(rooted)
		if report := w.run(walk); !report.OK() || !strings.Contains(text(walk.Lines()), "too many accounts are being closed at once") {
			t.Errorf("report %+v", report)
		}
	})
}

// elsewhere closes another account by somebody else's hand, as AWS counts it.
func (w *world) elsewhere(id string) {
	w.Helper()
	const other = "arn:aws:iam::" + management + ":role/somebody"
	w.role(other, `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
	config := w.base.Copy()
	config.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(w.base), other, func(o *stscreds.AssumeRoleOptions) {
		for _, key := range []string{"request", "operation", "requested-by"} { // the trust policy demands them
			o.Tags = append(o.Tags, ststypes.Tag{Key: aws.String(key), Value: aws.String("octocat")})
		}
		o.RoleSessionName, o.SourceIdentity = "somebody", aws.String("somebody")
	}))
	if _, err := organizations.NewFromConfig(config).CloseAccount(w.Context(), &organizations.CloseAccountInput{AccountId: &id}); err != nil {
		w.Fatal(err)
	}
}

func TestCloseAccountIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		fault awstest.Fault
		kind  ops.Kind
		want  string
	}{
		{"the management account", constraint("CANNOT_CLOSE_MANAGEMENT_ACCOUNT"), ops.Refused, "Account " + sinkingText + " is the management account, which can't be closed."},
		{"a reason that is new", constraint("CLOSE_ACCOUNT_HAS_A_MARKETPLACE_SELLER"), ops.Refused, "AWS refuses to close account " + sinkingText + ": CLOSE_ACCOUNT_HAS_A_MARKETPLACE_SELLER. Look at it in the console, and ask again."},
		{"no reason", constraint(""), ops.Refused, "AWS refuses to close account " + sinkingText + ": it doesn't say why."},
		{"the right to", awstest.Fault{Code: "AccessDeniedException"}, ops.Unavailable, "AWS refused organizations:CloseAccount to the role " + actRole + "."},
		{"an error that is new", awstest.Fault{Code: "SomethingException", Message: "What else?"}, ops.Unavailable, "AWS answered organizations:CloseAccount with SomethingException: What else?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			walk := w.atClosing()
			w.aws.Fail("organizations:CloseAccount", test.fault)
			w.refused(walk.Run(t.Context()), test.kind, test.want)
			if n := w.aws.Count("organizations:CloseAccount"); n != 1 {
				t.Errorf("%d calls of CloseAccount", n)
			}
			if a := w.account(sinking); a.State != "ACTIVE" || len(walk.Reminders()) > 0 {
				t.Errorf("account %+v, reminders %v", a, walk.Reminders())
			}
			w.done()
		})
	}
}

// An account that is closed already needs no run, and the bot can't restore it.
func TestCloseAccountAlreadyClosed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*world)
	}{
		{"as AWS answers", func(w *world) {
			w.aws.OnCall("organizations:ListParents", func(awstest.Call) { w.o.SetState(sinking, "CLOSED", "SUSPENDED") })
		}},
		{"as its state says", func(w *world) { w.o.SetState(sinking, "CLOSED", "SUSPENDED") }},
		{"as its older state says", func(w *world) { w.o.SetState(sinking, "", "SUSPENDED") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			walk := w.atClosing()
			test.change(w)
			if report := w.run(walk); !report.OK() || !report.Final || len(w.o.Closed()) > 0 || w.account(sinking).Parent != w.closed {
				t.Errorf("report %+v, account %+v", report, w.account(sinking))
			}
			w.done()
		})
	}
}

// A state that nobody has told the bot of is left alone.
func TestCloseAccountOfAStateThatIsNotKnown(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"", "HIBERNATING", "PENDING_ACTIVATION"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			walk := w.atClosing()
			w.o.SetState(sinking, state, "")
			w.refused(walk.Run(t.Context()), ops.Refused, "The state of account "+sinkingText+" is ", "and the bot closes active accounts only.")
			if n := w.aws.Count("organizations:CloseAccount"); n > 0 {
				t.Errorf("%d calls of CloseAccount", n)
			}
			w.done()
		})
	}
}

// An answer that was lost doesn't say whether it was done; the account does.
func TestAnswersThatAreLost(t *testing.T) {
	t.Parallel()
	slow := []awstest.ClosingStep{{After: 10 * time.Minute, State: "PENDING_CLOSURE"}, {After: time.Hour, State: "CLOSED"}}
	for _, test := range []struct {
		name   string
		action string
		fault  awstest.Fault
		steps  []awstest.ClosingStep
	}{
		{"of a closure that was accepted", "CloseAccount", awstest.Fault{CutAfter: true, Times: 1}, nil},
		{"of a closure that was accepted, which shows late", "CloseAccount", awstest.Fault{CutAfter: true, Times: 1}, slow},
		{"of a closure that never arrived", "CloseAccount", awstest.Fault{Cut: true, Times: 3}, nil},
		{"of a closure that broke AWS", "CloseAccount", awstest.Fault{Code: "ServiceException", Times: 3}, nil},
		{"of a closure that was throttled", "CloseAccount", awstest.Fault{Code: "TooManyRequestsException", Times: 3}, nil},
		{"of a move that was made", "MoveAccount", awstest.Fault{CutAfter: true, Times: 1}, nil},
		{"of a later move that was made", "MoveAccount", awstest.Fault{CutAfter: true, Times: 1, Skip: 1}, nil},
		{"of tags that were put", "TagResource", awstest.Fault{CutAfter: true, Times: 1}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.modes(true, true, 0)
			if test.steps != nil {
				w.o.SetClosing(test.steps...)
			}
			w.aws.Fail("organizations:"+test.action, test.fault)
			walk := w.walk()
			w.bubble(-4*time.Minute, func(t *testing.T, _ func(func())) {
				for walk.At() != "archive" || walk.Plan().Steps == nil {
					if walk.At() == "" {
						w.look(walk)
					}
					if err := walk.Step(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				w.run(walk)
			})
			a := w.account(sinking)
			if report, _ := walk.Report(); !report.OK() || len(w.o.Closed()) != 1 || a.Parent != w.closed || a.State != "CLOSED" {
				t.Errorf("report %+v, closed %v, account %+v", report, w.o.Closed(), a)
			}
			if told := text(walk.Lines()); test.action == "CloseAccount" && !strings.Contains(told, "tried again every two minutes: AWS ") {
				t.Errorf("told %s", told)
			}
			w.done()
		})
	}
	t.Run("each within one call of the step", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.atClosing()
		w.aws.Fail("organizations:CloseAccount", awstest.Fault{Cut: true})
		for n := 1; n <= 4; n++ {
			if err := walk.Step(t.Context()); err != nil || walk.At() != "close" {
				t.Fatal(err, walk.At())
			}
			if got := w.aws.Count("organizations:CloseAccount"); got != n {
				t.Errorf("%d calls of CloseAccount after %d of the step", got, n)
			}
		}
	})
}

// breaks has AWS be in trouble for a time, in a way that a client doesn't try
// again by itself.
func (w *world) breaks(action string, d time.Duration) {
	end := w.clock.Now().Add(d)
	w.aws.Fail("organizations:"+action, awstest.Fault{Code: "ServiceException", Status: http.StatusBadRequest, When: func(awstest.Call) bool {
		return w.clock.Now().Before(end)
	}})
}

// Trouble is tried through, for hours and however late it comes, and not for ever.
func TestPerseverance(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"disable", "close", "follow", "archive"} {
		t.Run("in the step "+step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.modes(true, true, 0)
			walk := w.walk()
			w.until(walk, step)
			began := w.clock.Now()
			w.breaks("DescribeAccount", time.Hour)
			if report := w.run(walk); !report.OK() || w.clock.Now().Sub(began) < time.Hour {
				t.Errorf("report %+v", report)
			}
			w.done()
		})
	}
	t.Run("while it is put back", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		before := w.account(sinking)
		walk := w.walk()
		w.graced(walk)
		w.breaks("MoveAccount", time.Hour)
		if err := walk.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.same(before)
		w.done()
	})
	t.Run("after days of waiting", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.settings.Poll = time.Hour
		w.o.SetClosing(awstest.ClosingStep{State: "PENDING_CLOSURE"}, awstest.ClosingStep{After: 5 * day, State: "CLOSED"})
		walk := w.atClosing()
		for range 3 {
			w.breaks("DescribeAccount", 20*time.Minute)
			for began := w.clock.Now(); w.clock.Now().Sub(began) < day; {
				if err := walk.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
		if report := w.run(walk); !report.OK() {
			t.Errorf("report %+v", report)
		}
		w.done()
	})
	t.Run("but not for ever", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.atClosing()
		began := w.clock.Now()
		w.breaks("DescribeAccount", day)
		w.refused(walk.Run(t.Context()), ops.Unavailable, "AWS answered organizations:DescribeAccount with ServiceException")
		if took := w.clock.Now().Sub(began); took < 6*time.Hour || took > 7*time.Hour {
			t.Errorf("tried for %v", took)
		}
		if told := text(walk.Lines()); strings.Count(told, "tried again every two minutes") != 1 {
			t.Errorf("told %s", told)
		}
		w.done()
	})
}

func TestFollow(t *testing.T) {
	t.Parallel()
	t.Run("for days", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.settings.Poll = time.Hour
		w.o.SetClosing(awstest.ClosingStep{After: 6 * time.Hour, State: "PENDING_CLOSURE"}, awstest.ClosingStep{After: 6*day + 20*time.Hour, State: "CLOSED"})
		walk := w.atClosing()
		if report := w.run(walk); !report.OK() || w.account(sinking).Parent != w.closed {
			t.Errorf("report %+v", report)
		}
		told := text(walk.Lines())
		for _, state := range []string{"ACTIVE", "PENDING_CLOSURE"} {
			if strings.Count(told, "The state of account "+sinkingText+" is "+state+".") != 1 {
				t.Errorf("told\n%s", told)
			}
		}
		w.done()
	})
	for _, state := range []string{"ACTIVE", "PENDING_CLOSURE", ""} {
		t.Run("for a week, and no longer, of the state "+state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.settings.Poll = time.Hour
			w.o.SetClosing(awstest.ClosingStep{State: state})
			walk := w.atClosing()
			began := w.clock.Now()
			shown := map[string]string{"": "unknown"}[state]
			w.refused(walk.Run(t.Context()), ops.Unknown, "AWS accepted on "+at(began)+" that account "+sinkingText+" is closed. A week later its state still is "+state+shown+".", "ask AWS's support")
			if took := w.clock.Now().Sub(began); took < 7*day || took > 7*day+2*time.Hour {
				t.Errorf("followed for %v", took)
			}
			if n := w.aws.Count("organizations:CloseAccount"); n != 1 {
				t.Errorf("%d calls of CloseAccount", n)
			}
			w.done()
		})
	}
	t.Run("as often as is set", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.settings.Poll = 12 * time.Minute
		walk := w.atClosing()
		w.until(walk, "follow")
		calls := walk.Calls()
		w.until(walk, "archive")
		if n := walk.Calls() - calls; n != 6 {
			t.Errorf("looked %d times within an hour", n)
		}
		w.done()
	})
	t.Run("until it vanishes", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.atClosing()
		w.until(walk, "follow")
		at := w.clock.Now().UTC()
		w.o.RemoveAccount(sinking)
		report := w.run(walk)
		if report.OK() || report.Summary != "AWS accepted on "+at.Format("2 Jan 2006")+" that account "+sinkingText+" is closed, and it is not in the organisation any more." {
			t.Errorf("report %+v", report)
		}
		if len(walk.Reminders()) != 1 || !strings.Contains(text(walk.Lines()), "warning Account "+sinking+" is not in the organisation any more.") {
			t.Errorf("reminders %v, told %s", walk.Reminders(), text(walk.Lines()))
		}
		w.done()
	})
}

// An account that has left the organisation is neither closed nor restored.
func TestVanished(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"disable", "close"} {
		t.Run("not what vanished before the step "+step, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.modes(true, true, 0)
			walk := w.walk()
			w.until(walk, step)
			w.o.RemoveAccount(sinking)
			w.refused(walk.Run(t.Context()), ops.Refused, "Account "+sinkingText+" is not in the organisation any more.")
			w.done()
		})
	}
	t.Run("not what vanished in the grace", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		walk := w.walk()
		w.graced(walk)
		w.o.RemoveAccount(sinking)
		w.refused(walk.Undo(t.Context()), ops.Refused, "is not in the organisation any more")
		w.done()
	})
}

func TestRoleCannotBeAssumed(t *testing.T) {
	t.Parallel()
	for _, drop := range []string{"sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"} {
		t.Run("for want of "+drop, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			before := w.account(sinking)
			trust := strings.ReplaceAll(strings.ReplaceAll(awsaccess.Trust, "${bot_role}", botRole), `"`+drop+`"`, `"sts:GetCallerIdentity"`)
			w.aws.AddRole(awstest.Role{ARN: actRole, Policy: w.fill(w.operation().Access.Act), Trust: trust})
			w.refused(w.walk().Run(t.Context()), ops.Unavailable, "AWS doesn't let the bot assume the role "+actRole+" ("+drop+" was refused).")
			w.same(before)
			if drop == "sts:TagSession" {
				return // looking needs no tags
			}
			w.aws.AddRole(awstest.Role{ARN: lookRole, Policy: w.fill(w.operation().Access.Look), Trust: trust})
			_, err := w.walk().Look(t.Context())
			w.refused(err, ops.Unavailable, "AWS doesn't let the bot assume the role "+lookRole+" ("+drop+" was refused).")
		})
	}
}

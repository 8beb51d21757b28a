package awstest_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

// violation is the reason of a ConstraintViolationException.
func violation(err error) types.ConstraintViolationExceptionReason {
	if e, ok := errors.AsType[*types.ConstraintViolationException](err); ok {
		return e.Reason
	}
	return ""
}

func TestAClosureTakesTime(t *testing.T) {
	now := time.Now()
	e := newEstate(t, awstest.Options{Now: func() time.Time { return now }}, allowAll)
	check(t, e.close(payments))
	if got := e.account(payments); got.State != "PENDING_CLOSURE" || got.Status != "" || got.CloseRequested.IsZero() {
		t.Errorf("at once: %+v", got)
	}
	now = now.Add(24 * time.Hour)
	want(t, e.close(payments), "ConflictException", "current state")
	e.o.SetState(payments, "CLOSED", "SUSPENDED")
	if got := e.state(payments); got != [2]string{"CLOSED", "SUSPENDED"} {
		t.Errorf("closed: %v", got)
	}
	want(t, e.close(payments), "AccountAlreadyClosedException", "already closed")
	check(t, e.move(payments, e.live, e.closed))

	e.o.SetState(payments, "ACTIVE", "") // reinstated by AWS Support
	e.o.SetClosing(
		awstest.ClosingStep{After: 15 * time.Minute, State: "CLOSED"},
		awstest.ClosingStep{After: time.Minute, State: "PENDING_CLOSURE", Status: "PENDING_CLOSURE"},
		awstest.ClosingStep{After: 5 * time.Minute, State: "ACTIVE"},
	)
	check(t, e.close(payments))
	for _, test := range []struct {
		after         time.Duration
		state, status string
		again         string
	}{
		{0, "ACTIVE", "", "ConflictException"},
		{time.Minute, "PENDING_CLOSURE", "PENDING_CLOSURE", "ConflictException"},
		{4 * time.Minute, "ACTIVE", "", "ConflictException"},
		{10 * time.Minute, "CLOSED", "", "AccountAlreadyClosedException"},
		{time.Hour, "CLOSED", "", "AccountAlreadyClosedException"},
	} {
		now = now.Add(test.after)
		if got := e.state(payments); got != [2]string{test.state, test.status} {
			t.Errorf("%v later: %v, want %s %s", test.after, got, test.state, test.status)
		}
		want(t, e.close(payments), test.again, "")
	}
	if got := e.o.Closed(); !slices.Equal(got, []string{payments, payments}) {
		t.Errorf("closed: %v", got)
	}

	check(t, e.close(staging))
	e.o.SetState(staging, "CLOSED", "")
	now = now.Add(5 * time.Minute)
	if got := e.state(staging); got[0] != "CLOSED" {
		t.Errorf("what a test sets stays, but it is %v", got)
	}
	e.o.RemoveAccount(staging)
	want(t, e.close(staging), "AccountNotFoundException", "")
	e.noProblems()
}

func TestStatesThatNobodyExpects(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	for _, test := range []struct{ state, status, close string }{
		{"", "ACTIVE", ""},
		{"", "PENDING_CLOSURE", "ConflictException"},
		{"", "SUSPENDED", "AccountAlreadyClosedException"},
		{"CLOSED", "", "AccountAlreadyClosedException"},
		{"PENDING_CLOSURE", "ACTIVE", "ConflictException"},
		{"", "", ""},
		{"HIBERNATING", "", ""},
		{"HIBERNATING", "ACTIVE", ""},
	} {
		e.o.SetState(payments, test.state, test.status)
		if got := e.state(payments); got != [2]string{test.state, test.status} {
			t.Errorf("got %v, want %+v", got, test)
		}
		want(t, e.close(payments), test.close, "")
	}
	e.noProblems()
	for _, state := range []string{"PENDING_ACTIVATION", "SUSPENDED"} {
		e.o.SetState(payments, state, "SUSPENDED")
		want(t, e.close(payments), "ConflictException", "")
		if p := strings.Join(e.Problems(), "\n"); !strings.Contains(p, state) {
			t.Errorf("problems: %s", p)
		}
	}
}

func TestWhoCannotBeClosed(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	if err := e.close(account); violation(err) != "CANNOT_CLOSE_MANAGEMENT_ACCOUNT" {
		t.Errorf("the management account: %v", err)
	}
	want(t, e.close(nobodyIs), "AccountNotFoundException", "doesn't exist")
	want(t, e.close("12"), "InvalidInputException", "pattern")
	e.o.SetClosingLimits(0, -1)
	if err := e.close(payments); violation(err) != "CLOSE_ACCOUNT_QUOTA_EXCEEDED" {
		t.Errorf("without a quota: %v", err)
	}
	if got := e.account(payments); got.State != "ACTIVE" || !got.CloseRequested.IsZero() || len(e.o.Closed()) != 0 {
		t.Errorf("account is %+v", got)
	}
	e.noProblems()
}

func TestClosuresAreCountedFor30Days(t *testing.T) {
	now := time.Now()
	e := newEstate(t, awstest.Options{Now: func() time.Time { return now }}, allowAll)
	e.o.SetClosing(awstest.ClosingStep{State: "CLOSED"})
	id := func(n int) string { return fmt.Sprintf("5%011d", n) }
	for n := range 8 {
		e.o.AddAccount(id(n), id(n), id(n)+"@example.org")
	}
	e.o.SetClosingLimits(2, -1)
	for n, test := range []struct {
		after  time.Duration
		reason types.ConstraintViolationExceptionReason
	}{
		{0, ""},
		{29 * 24 * time.Hour, ""},
		{time.Hour, "CLOSE_ACCOUNT_QUOTA_EXCEEDED"},
		{23 * time.Hour, ""},
		{0, "CLOSE_ACCOUNT_QUOTA_EXCEEDED"},
	} {
		now = now.Add(test.after)
		if err := e.close(id(n)); violation(err) != test.reason || (err == nil) != (test.reason == "") {
			t.Errorf("closure %d: %v, want %q", n, err, test.reason)
		}
	}
	e.noProblems()
}

func TestThreeClosuresAtATime(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	ids := []string{payments, staging, "555555555555", "666666666666"}
	for _, id := range ids[2:] {
		e.o.AddAccount(id, id, id+"@example.org")
	}
	for _, id := range ids[:3] {
		check(t, e.close(id))
	}
	const tooMany = "CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED"
	if err := e.close(ids[3]); violation(err) != tooMany {
		t.Errorf("a fourth one: %v", err)
	}
	e.o.SetState(payments, "CLOSED", "")
	check(t, e.close(ids[3]))
	e.o.SetClosingLimits(-1, 4)
	e.o.AddAccount("777777777777", "x", "x@example.org")
	check(t, e.close("777777777777"))
	e.noProblems()
}

// The quota is a fifth of the member accounts where that is more than 250.
func TestTheQuotaGrowsWithTheOrganization(t *testing.T) {
	e := newEstate(t, awstest.Options{}, allowAll)
	e.o.SetClosing(awstest.ClosingStep{State: "CLOSED"})
	for n := range 1298 {
		id := fmt.Sprintf("5%011d", n)
		e.o.AddAccount(id, id, id+"@example.org")
	}
	closed, c := 0, e.organizations()
	for n := range 300 {
		_, err := c.CloseAccount(t.Context(), &organizations.CloseAccountInput{AccountId: aws.String(fmt.Sprintf("5%011d", n))})
		if err == nil {
			closed++
		} else if violation(err) != "CLOSE_ACCOUNT_QUOTA_EXCEEDED" {
			t.Fatal(err)
		}
	}
	if closed != 260 {
		t.Errorf("%d of 1,300 accounts are closed, want 260", closed)
	}
}

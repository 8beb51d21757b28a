package awstest

import (
	"cmp"
	"slices"
	"time"
)

// States of an account that mean something to CloseAccount.
const (
	pendingActivation = "PENDING_ACTIVATION"
	pendingClosure    = "PENDING_CLOSURE"
	suspended         = "SUSPENDED"
	closed            = "CLOSED"
)

// ClosingStep is what an account shows from some time after CloseAccount on.
type ClosingStep struct {
	After         time.Duration // CloseAccount, by the Cloud's clock
	State, Status string        // as in [OrgAccount]
}

// closure is a CloseAccount that was accepted.
type closure struct {
	account string
	at      time.Time
}

// SetClosing says what an account shows after CloseAccount, for closures to come: at first PENDING_CLOSURE at once, until a
// test calls [Organization.SetState]. With AWS an account shows ACTIVE for a while, then PENDING_CLOSURE for minutes, now and
// then ACTIVE again, and in the end CLOSED, whose Status is SUSPENDED; nothing promises an order or a time. A closure is under
// way until a step shows CLOSED.
func (o *Organization) SetClosing(steps ...ClosingStep) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	o.closing = slices.SortedStableFunc(slices.Values(steps), func(a, b ClosingStep) int { return cmp.Compare(a.After, b.After) })
}

// SetClosingLimits says how many accounts can be closed in 30 days, and how many closures can be under way at a time. -1 is
// what AWS allows, as it is at first: the higher of 250 and a fifth of the member accounts but at most 1,000, and 3.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
func (o *Organization) SetClosingLimits(in30Days, atOnce int) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	if atOnce < 0 {
		atOnce = 3
	}
	o.quota, o.atOnce = in30Days, atOnce
}

// Closed are the IDs of the accounts that CloseAccount was accepted for, in the order of that, whatever has become of them.
func (o *Organization) Closed() []string {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	var ids []string
	for _, c := range o.closures {
		ids = append(ids, c.account)
	}
	return ids
}

// settle lets the closure of an account go on as far as it has come.
func (a *orgAccount) settle(now time.Time) {
	for len(a.steps) > 0 && !now.Before(a.requested.Add(a.steps[0].After)) {
		step := a.steps[0]
		a.steps = a.steps[1:]
		a.state, a.status = step.State, step.Status
		if _, done := a.seems(); done {
			a.pending, a.closed = false, true
		}
	}
}

// become makes an account what it shows from now on, and ends what was still to come.
func (a *orgAccount) become(state, status string) {
	a.state, a.status, a.steps = state, status, nil
	a.pending, a.closed = a.seems()
}

// seems tells from what the account shows whether it is being closed, and whether it is. State SUSPENDED is what AWS does to an
// account by itself, and no closing; Status alone calls a closed account so.
func (a *orgAccount) seems() (isPending, isClosed bool) {
	return cmp.Or(a.state, a.status) == pendingClosure, a.state == closed || a.state == "" && a.status == suspended
}

// closeAccount begins to close an account. That it is a delegated administrator, or in which OU it is, doesn't matter.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_CloseAccount.html
func closeAccount(r *request, o *Organization, in *accountInput) (any, error) {
	a, err := in.find(o)
	if err != nil {
		return nil, err
	}
	now := o.cloud.now()
	a.settle(now)
	violation := func(reason, text string) error {
		return fail(400, "ConstraintViolationException", "%s", text).with("Reason", reason)
	}
	switch {
	case a.id == o.management:
		return nil, violation("CANNOT_CLOSE_MANAGEMENT_ACCOUNT", "You attempted to close the management account.")
	case a.closed:
		return nil, fail(400, "AccountAlreadyClosedException", "You attempted to close an account that is already closed.")
	case a.pending:
		return nil, fail(400, "ConflictException", "The request failed because it conflicts with the current state of the specified resource.")
	case a.state == pendingActivation, a.state == suspended:
		r.cloud.problem("%s: account %s is %s: awstest doesn't know what AWS does", r.name(), a.id, a.state)
		return nil, fail(400, "ConflictException", "The request failed because it conflicts with the current state of the specified resource.")
	case o.closedSince(now.AddDate(0, 0, -30)) >= o.closeQuota():
		return nil, violation("CLOSE_ACCOUNT_QUOTA_EXCEEDED", "You have exceeded close account quota for the past 30 days.")
	case o.closingNow(now) >= o.atOnce:
		return nil, violation("CLOSE_ACCOUNT_REQUESTS_LIMIT_EXCEEDED", "You attempted to exceed the number of accounts that you can close at a time.")
	}
	a.requested, a.pending, a.steps = now, true, o.closing
	a.settle(now)
	o.closures = append(o.closures, closure{a.id, now})
	o.cloud.touch()
	return answer{}, nil
}

func (o *Organization) closedSince(t time.Time) int {
	n := 0
	for _, c := range o.closures {
		if c.at.After(t) {
			n++
		}
	}
	return n
}

func (o *Organization) closeQuota() int {
	if o.quota >= 0 {
		return o.quota
	}
	return min(1000, max(250, (len(o.accounts)-1)/5))
}

func (o *Organization) closingNow(now time.Time) int {
	n := 0
	for _, a := range o.accounts {
		if a.settle(now); a.pending {
			n++
		}
	}
	return n
}

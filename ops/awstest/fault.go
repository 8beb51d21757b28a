package awstest

import (
	"cmp"
	"time"
)

// Fault is something that goes wrong with a call that is allowed. The zero value does nothing to it.
type Fault struct {
	// Code is AWS's code of the error to answer, such as "InternalServerException"; "" lets the call go through.
	Code string

	// Message and Status go with Code. "" is a text like AWS's where there is a usual one, and otherwise Code itself; 0 is the
	// status that goes with Code, 400 for most.
	Message string
	Status  int

	// Reason goes with Code too: what the error has in a member of that name, as those of AWS Organizations do.
	Reason string

	// Delay is how long the call takes before anything else happens to it.
	Delay time.Duration

	// Hang never answers: the connection stays open until the client gives up.
	Hang bool

	// Cut closes the connection without doing anything; CutAfter does the call and then closes the connection.
	Cut, CutAfter bool

	// Times is how many calls it happens to; 0 is every one until [Cloud.Heal].
	Times int

	// Skip is how many calls it lets pass first.
	Skip int

	// When, if not nil, says which calls it happens to; the others don't count for Times and Skip. It must not call the Cloud.
	When func(Call) bool
}

type plannedFault struct {
	action string
	Fault
	seen int
}

type plannedDelay struct {
	action string
	d      time.Duration
}

// throttle is a bucket that holds burst calls, or a second's worth of them when burst is 0.
type throttle struct {
	action    string
	perSecond float64
	burst     float64
	tokens    float64
	at        time.Time
	refused   int
}

// Fail plans a fault for the calls of an action, named as IAM does ("lambda:InvokeFunction") or with wildcards ("logs:*").
// Of several that fit one call, the first planned happens.
func (c *Cloud) Fail(action string, f Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkAction(action)
	c.faults = append(c.faults, &plannedFault{action: action, Fault: f})
}

// Heal takes back the faults planned for action; "*" takes back all of them.
func (c *Cloud) Heal(action string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := c.faults[:0]
	for _, f := range c.faults {
		if !matchFold(action, f.action) {
			kept = append(kept, f)
		}
	}
	c.faults = kept
}

// SetDelay makes the calls of an action take d longer; the delay set last for a fitting action counts. 0 ends it.
func (c *Cloud) SetDelay(action string, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkAction(action)
	c.delays = append(c.delays, plannedDelay{action, d})
}

// Throttle allows an action perSecond calls a second, and bursts of as many; the rest is refused with the service's error for
// that. All actions that fit share the rate. 0 ends it.
func (c *Cloud) Throttle(action string, perSecond int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkAction(action)
	for _, t := range c.throttles {
		if t.action == action {
			t.perSecond, t.tokens = float64(perSecond), float64(perSecond)
			return
		}
	}
	c.throttles = append(c.throttles, &throttle{action: action, perSecond: float64(perSecond), tokens: float64(perSecond), at: c.now()})
}

// Throttled says how many calls the throttle on action has refused.
func (c *Cloud) Throttled(action string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.throttles {
		if t.action == action {
			return t.refused
		}
	}
	return 0
}

// checkAction notes an action that no service has: a plan for it would never do anything.
func (c *Cloud) checkAction(action string) {
	for _, s := range c.services {
		for _, call := range s.calls {
			if matchFold(action, s.name+":"+call.iam) {
				return
			}
		}
	}
	c.problem("no service has the action %s", action)
}

func (c *Cloud) delay(action string) time.Duration {
	for i := len(c.delays) - 1; i >= 0; i-- {
		if matchFold(c.delays[i].action, action) {
			return c.delays[i].d
		}
	}
	return 0
}

func (c *Cloud) overThrottle(action string) bool {
	over := false
	for _, t := range c.throttles {
		if t.perSecond == 0 || !matchFold(t.action, action) {
			continue
		}
		over = !t.take(c.now()) || over
	}
	return over
}

// take takes one call's token out of the bucket; it tells whether there was one.
func (t *throttle) take(now time.Time) bool {
	t.tokens = min(cmp.Or(t.burst, t.perSecond), t.tokens+now.Sub(t.at).Seconds()*t.perSecond)
	t.at = now
	if t.tokens < 1 {
		t.refused++
		return false
	}
	t.tokens--
	return true
}

func (c *Cloud) takeFault(action string, call Call) (Fault, bool) {
	for _, f := range c.faults {
		if !matchFold(f.action, action) || f.When != nil && !f.When(call) {
			continue
		}
		if f.Times > 0 && f.seen >= f.Skip+f.Times {
			continue
		}
		f.seen++
		if f.seen > f.Skip {
			return f.Fault, true
		}
	}
	return Fault{}, false
}

// failure is the fault as an answer.
func (f Fault) failure(r *request) *failure {
	wire := r.service.wire
	answer := fail(400, f.Code, "%s", f.Code)
	switch {
	case f.Code == wire.throttled:
		answer = fail(wire.throttledStatus, f.Code, "Rate exceeded")
	case f.Code == wire.accessDenied:
		action := r.service.name + ":" + r.call.iam
		answer = fail(wire.deniedStatus, f.Code, "User: %s is not authorized to perform: %s", r.who.arn, action)
	case f.Code == wire.expired:
		answer = fail(wire.frontStatus, f.Code, "The security token included in the request is expired")
	case matchFold("internal*", f.Code), f.Code == "ServiceException":
		answer.status = 500
	case matchFold("serviceunavailable*", f.Code):
		answer.status = 503
	}
	if status, ok := wire.statuses[f.Code]; ok {
		answer.status = status
	}
	if f.Status != 0 {
		answer.status = f.Status
	}
	if f.Message != "" {
		answer.message = f.Message
	}
	if f.Reason != "" {
		answer.with("Reason", f.Reason)
	}
	return answer
}

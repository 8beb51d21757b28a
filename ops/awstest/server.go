package awstest

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"time"
)

// request is one HTTP request on its way through.
type request struct {
	cloud     *Cloud
	http      *http.Request
	body      []byte
	id        string
	signature signature
	service   *service
	action    string // the API's name
	call      call
	who       *principal
	entry     *Call
}

// serve answers one request: who asks, what for, may they, and then the action itself.
func (c *Cloud) serve(w http.ResponseWriter, hr *http.Request) {
	c.mu.Lock()
	if c.ctx.Err() != nil {
		c.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	c.runs.Add(1)
	c.mu.Unlock()
	defer c.runs.Done()

	body, err := readBody(hr)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r := &request{cloud: c, http: hr, body: body, id: newUUID()}
	var signed bool
	r.signature, signed = parseSignature(hr.Header.Get("Authorization"))
	r.service = c.services[r.signature.service]
	if r.service == nil {
		c.mu.Lock()
		c.problem("%s %s %s for the service %q, which awstest doesn't have", hr.Method, hr.URL, hr.Header.Get("X-Amz-Target"),
			r.signature.service)
		c.mu.Unlock()
		r.service = c.services["identitystore"]
		f := fail(404, "UnknownService", "awstest doesn't have the service %s", r.signature.service)
		if !signed {
			f = fail(403, r.service.wire.noCredentials, "Missing Authentication Token")
		}
		r.service.wire.fail(w, r, f)
		return
	}
	out, cut, err := c.handle(r)
	if cut {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("X-Amzn-Requestid", r.id)
	if err != nil {
		r.service.wire.fail(w, r, asFailure(err))
		return
	}
	r.service.wire.answer(w, r, out)
}

// handle does a request and returns its answer; cut says that there is none: the connection is to be closed, or the client has
// gone.
func (c *Cloud) handle(r *request) (out any, cut bool, err error) {
	c.mu.Lock()
	defer func() {
		switch {
		case cut || r.http.Context().Err() != nil:
			out, cut, err = nil, true, nil
			r.entry.ErrorCode = "Cut"
		case err != nil:
			f := asFailure(err)
			if f.code == "InternalFailure" {
				c.problem("%s: %v", r.name(), err)
			}
			r.entry.ErrorCode = f.code
			r.entry.Allowed = r.entry.Allowed && !f.refused
		}
		c.touch()
		c.mu.Unlock()
	}()

	r.action = r.service.action(r)
	r.call = r.service.calls[r.action]
	r.entry = &Call{
		Service: r.service.name, Action: r.call.iam, AccessKeyID: r.signature.accessKeyID,
		Region: r.signature.region, RequestID: r.id, At: c.now(),
	}
	c.ledger = append(c.ledger, r.entry)

	if err := c.authenticate(r); err != nil {
		return nil, false, err
	}
	if r.call.run == nil {
		c.problem("%s: an action awstest doesn't have", r.name())
		return nil, false, fail(404, r.service.wire.unknownAction, "awstest doesn't have %s", r.name())
	}
	in, err := r.call.decode(r)
	if err != nil {
		return nil, false, err
	}

	action := r.service.name + ":" + r.call.iam
	if d := c.delay(action); d > 0 {
		c.touch()
		c.mu.Unlock()
		waited := c.sleep(r.http.Context(), d)
		c.mu.Lock()
		if !waited {
			return nil, true, nil
		}
	}
	if !r.call.open {
		if err := r.authorizeCall(action, in); err != nil {
			return nil, false, err
		}
	}
	r.entry.Allowed = true
	if c.overThrottle(action) {
		return nil, false, fail(r.service.wire.throttledStatus, r.service.wire.throttled, "Rate exceeded")
	}

	fault, found := c.takeFault(action, *r.entry)
	if found && (fault.Delay > 0 || fault.Hang) {
		c.touch()
		c.mu.Unlock()
		waited := true
		if fault.Hang {
			<-r.http.Context().Done()
		} else {
			waited = c.sleep(r.http.Context(), fault.Delay)
		}
		c.mu.Lock()
		if fault.Hang || !waited {
			return nil, true, nil
		}
	}
	switch {
	case found && fault.Cut:
		return nil, true, nil
	case found && fault.Code != "":
		return nil, false, fault.failure(r)
	}

	c.runHooks(action, *r.entry)
	out, err = r.call.run(r, in)
	if wait, ok := out.(later); ok && err == nil {
		c.touch()
		c.mu.Unlock()
		out, err = wait.wait(r)
		c.mu.Lock()
	}
	return out, found && fault.CutAfter, err
}

// authorizeCall asks for everything that the call needs.
func (r *request) authorizeCall(action string, in any) error {
	needed := []permission{{action: action}}
	if r.call.keys != nil {
		needed[0].keys = r.call.keys(r, in)
	}
	if r.call.also != nil {
		needed = append(needed, r.call.also(r, in)...)
	}
	for _, p := range needed {
		if err := r.authorize(p.action, r.call.resources(r, in), p.keys); err != nil {
			return err
		}
	}
	return nil
}

// authenticate finds out who signed the request.
func (c *Cloud) authenticate(r *request) error {
	wire := r.service.wire
	p := c.principals[r.signature.accessKeyID]
	if p == nil || r.http.Header.Get("X-Amz-Security-Token") != p.token {
		code := wire.invalidKey
		if p != nil {
			code = cmp.Or(wire.invalidToken, code)
		}
		return wire.front(code, "The security token included in the request is invalid.")
	}
	r.who = p
	r.entry.Principal, r.entry.RoleARN, r.entry.SourceIdentity = p.arn, p.roleARN, p.sourceIdentity
	r.entry.SessionTags, r.entry.SessionPolicy = p.tags, p.sessionText
	if text := r.signature.fault(r.http, r.body, p.secret, time.Now()); text != "" {
		return wire.front(wire.badSignature, text)
	}
	if !p.expires.IsZero() && !c.now().Before(p.expires) {
		return wire.front(wire.expired, "The security token included in the request is expired")
	}
	return nil
}

// authorize asks the caller's policies for action on each of the resources: the role's policy and the session's, when there
// is one, must both allow it. extra are condition keys of this call.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html
func (r *request) authorize(action string, resources []string, extra conditionKeys) error {
	keys := r.who.keys(r.signature.region)
	for k, v := range extra {
		keys.set(k, v...)
	}
	if len(resources) == 0 {
		resources = []string{"*"}
	}
	for _, resource := range resources {
		q := question{action: action, resource: resource, keys: r.withTags(keys, resource)}
		verdicts := map[string]verdict{}
		for _, layer := range []struct {
			name   string
			policy *policy
		}{{"identity-based", r.who.identity}, {"session", r.who.session}} {
			if layer.policy == nil {
				continue
			}
			v, err := layer.policy.judge(q)
			if err != nil {
				r.cloud.problem("%s policy of %s, asked about %s: %v", layer.name, r.who.arn, action, err)
			}
			verdicts[layer.name] = v
		}
		for _, name := range []string{"identity-based", "session"} {
			if v, ok := verdicts[name]; ok && v == denied {
				article := map[string]string{"identity-based": "an ", "session": "a "}[name]
				return r.refuse(action, resource, "with an explicit deny in "+article+name+" policy")
			}
		}
		for _, name := range []string{"identity-based", "session"} {
			if v, ok := verdicts[name]; ok && v == silent {
				return r.refuse(action, resource, fmt.Sprintf("because no %s policy allows the %s action", name, action))
			}
		}
	}
	return nil
}

// withTags are keys and those of the tags that the resource itself has.
func (r *request) withTags(keys conditionKeys, resource string) conditionKeys {
	if r.call.tags == nil {
		return keys
	}
	keys = maps.Clone(keys)
	for name, value := range r.call.tags(r, resource) {
		keys.set("aws:ResourceTag/"+name, value)
	}
	return keys
}

// refuse is AWS's answer to a call that the policies don't allow.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func (r *request) refuse(action, resource, why string) *failure {
	f := fail(r.service.wire.deniedStatus, r.service.wire.accessDenied,
		"User: %s is not authorized to perform: %s on resource: %s %s", r.who.arn, action, resource, why)
	f.refused = true
	return f
}

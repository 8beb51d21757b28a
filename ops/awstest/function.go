package awstest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Function is a Lambda function.
type Function struct {
	// Name is the function's name; Region and Account of "" are the Cloud's.
	Name, Region, Account string

	// Timeout is when an invocation is stopped; 0 is 3 s, as with Lambda.
	Timeout time.Duration

	// MemoryMB is what REPORT says; 0 is 256.
	MemoryMB int

	// Retries is how often an invocation of type Event that failed is run again, with the same request ID and at once. 0 is
	// never; AWS's own default is 2.
	Retries int

	// LogFormat is "" for text, or JSON. With JSON and the SystemLogLevel WARN Lambda writes nothing of its own about a run that
	// goes well: neither where it begins nor where it ends. "" is INFO.
	// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
	LogFormat, SystemLogLevel string

	// Run is the code; nil does nothing. It should return soon after the invocation's context has ended.
	Run func(*Invocation)
}

type function struct {
	Function
	key          resourceKey
	environments []*environment
	invocations  []*Invocation
}

// environment is one process of a function: it has a log stream and runs one invocation at a time.
type environment struct {
	stream string
	busy   bool
	frozen []func() // what the last invocation left in flight; the caller of each holds mu
}

// Invocation is one run of a function.
type Invocation struct {
	// RequestID is what its log lines bear; Payload is the event, as it was sent.
	RequestID string
	Payload   []byte

	cloud         *Cloud
	fn            *function
	env           *environment
	ctx           context.Context
	started       time.Time
	log           []byte
	response      []byte
	functionError string
	errorLine     string
	noReport      bool
	over          bool
	ended         chan struct{}
}

// InvocationState is what became of an invocation.
type InvocationState struct {
	RequestID string
	LogStream string
	Running   bool
	Error     string // X-Amz-Function-Error; "" is none
}

// AddFunction adds a function or replaces the one of the same name and place.
func (c *Cloud) AddFunction(f Function) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.Region == "" {
		f.Region = c.opts.Region
	}
	if f.Account == "" {
		f.Account = c.opts.Account
	}
	if f.Timeout == 0 {
		f.Timeout = 3 * time.Second
	}
	if f.MemoryMB == 0 {
		f.MemoryMB = 256
	}
	key := resourceKey{f.Account, f.Region, f.Name}
	c.functions[key] = &function{Function: f, key: key}
}

// Trigger invokes a function of the Cloud's own account and Region as its schedule does, and returns the request ID. A
// function that isn't there is a problem, and "".
func (c *Cloud) Trigger(function string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn := c.functions[resourceKey{c.opts.Account, c.opts.Region, function}]
	if fn == nil {
		c.problem("trigger %s: no such function", function)
		return ""
	}
	id := newUUID()
	c.start(fn, id, []byte("{}"), fn.Retries)
	return id
}

// Invocations are the invocations of a function of the Cloud's own account and Region, oldest first.
func (c *Cloud) Invocations(function string) []InvocationState {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []InvocationState
	if fn := c.functions[resourceKey{c.opts.Account, c.opts.Region, function}]; fn != nil {
		for _, inv := range fn.invocations {
			all = append(all, InvocationState{inv.RequestID, inv.env.stream, !inv.over, inv.functionError})
		}
	}
	return all
}

// start runs the function in an environment that is free, or in a new one. The caller holds mu.
func (c *Cloud) start(fn *function, id string, payload []byte, retries int) *Invocation {
	inv := &Invocation{
		RequestID: id, Payload: payload, cloud: c, fn: fn, started: c.now(), ended: make(chan struct{}),
		response: []byte("null"),
	}
	fn.invocations = append(fn.invocations, inv)
	if c.ctx.Err() != nil {
		inv.env, inv.over = &environment{}, true
		close(inv.ended)
		return inv
	}
	if i := slices.IndexFunc(fn.environments, func(e *environment) bool { return !e.busy }); i >= 0 {
		inv.env = fn.environments[i]
	} else {
		inv.env = &environment{stream: c.now().UTC().Format("2006/01/02") + "/[$LATEST]" + randomHex(16)}
		fn.environments = append(fn.environments, inv.env)
		inv.system("INIT_START Runtime Version: nodejs:22.v63\tRuntime Version ARN: arn:aws:lambda:"+fn.Region+"::runtime:"+
			hexSum([]byte("nodejs:22.v63"))+"\n", "platform.initStart", "")
	}
	inv.env.busy = true
	inv.system("START RequestId: "+id+" Version: $LATEST\n", "platform.start", "")
	thawed := inv.env.frozen
	inv.env.frozen = nil
	for _, resume := range thawed {
		resume()
	}
	ctx, cancel := context.WithTimeout(c.ctx, fn.Timeout)
	inv.ctx = ctx
	returned := make(chan struct{})
	c.runs.Go(func() {
		defer close(returned)
		defer func() {
			if p := recover(); p != nil && p != any(endOfInvocation) {
				inv.Fail("Error", fmt.Sprint(p))
			}
		}()
		if fn.Run != nil {
			fn.Run(inv)
		}
	})
	c.runs.Go(func() {
		defer cancel()
		select {
		case <-returned:
		case <-ctx.Done():
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		inv.expire()
		alive := c.ctx.Err() == nil
		inv.finish(alive)
		if alive && retries > 0 && inv.functionError != "" {
			c.start(fn, id, payload, retries-1)
		}
	})
	return inv
}

// endOfInvocation is what Exit and TimeOut panic with to leave the function's code.
var endOfInvocation = new(int)

// Context ends with the function's time-out and with the Cloud.
func (inv *Invocation) Context() context.Context { return inv.ctx }

// Log writes a line as Node 22 does on Lambda: time, request ID, level (INFO, WARN, ERROR, DEBUG), text. A text of several
// lines is one event.
func (inv *Invocation) Log(level, text string) { inv.logAs(inv.RequestID, level, text) }

// LogWithoutID writes a line that has undefined where the request ID should be, as Node does for some errors.
func (inv *Invocation) LogWithoutID(level, text string) { inv.logAs("undefined", level, text) }

// Print writes an event as it is, without time or ID.
func (inv *Invocation) Print(text string) {
	inv.cloud.mu.Lock()
	defer inv.cloud.mu.Unlock()
	inv.expire()
	inv.print(text)
}

// Return sets the answer; without it the answer is null.
func (inv *Invocation) Return(payload []byte) {
	inv.cloud.mu.Lock()
	defer inv.cloud.mu.Unlock()
	if inv.expire(); !inv.over {
		inv.response = payload
	}
}

// Fail makes the invocation fail as an exception that leaves the handler does: an ERROR line and the error as the answer.
func (inv *Invocation) Fail(errorType, message string) {
	report := nodeError(errorType, message)
	inv.Log("ERROR", "Invoke Error \t"+report)
	inv.cloud.mu.Lock()
	defer inv.cloud.mu.Unlock()
	if inv.over {
		return
	}
	inv.functionError = "Unhandled"
	inv.response, _ = json.Marshal(map[string]any{"errorType": errorType, "errorMessage": message, "trace": []string{
		errorType + ": " + message, "    at handler (file:///var/task/index.js:60:11)",
	}})
}

// Exit ends the process in the middle, as an unhandled rejection does that the runtime does not survive. It doesn't return.
func (inv *Invocation) Exit(status int) {
	inv.cloud.mu.Lock()
	if !inv.over {
		message := fmt.Sprintf("RequestId: %s Error: Runtime exited with error: exit status %d", inv.RequestID, status)
		inv.print(message + "\nRuntime.ExitError\n")
		inv.functionError, inv.errorLine = "Unhandled", "Status: error\tError Type: Runtime.ExitError"
		inv.response, _ = json.Marshal(map[string]string{"errorType": "Runtime.ExitError", "errorMessage": message})
		inv.finish(true)
	}
	inv.cloud.mu.Unlock()
	panic(endOfInvocation)
}

// TimeOut stops the invocation as its time-out does, without waiting for it. It doesn't return.
func (inv *Invocation) TimeOut() {
	inv.cloud.mu.Lock()
	inv.timeOut()
	inv.cloud.mu.Unlock()
	panic(endOfInvocation)
}

// OmitReport keeps the REPORT line from being written.
func (inv *Invocation) OmitReport() {
	inv.cloud.mu.Lock()
	defer inv.cloud.mu.Unlock()
	inv.noReport = true
}

// freeze leaves something to be done when the next invocation wakes this environment up.
func (inv *Invocation) freeze(resume func()) {
	inv.cloud.mu.Lock()
	defer inv.cloud.mu.Unlock()
	inv.env.frozen = append(inv.env.frozen, resume)
}

func (inv *Invocation) logAs(id, level, text string) {
	inv.cloud.mu.Lock()
	defer inv.cloud.mu.Unlock()
	inv.expire()
	if inv.fn.LogFormat == "JSON" {
		line := map[string]any{"timestamp": inv.cloud.now().UTC().Format(lineTime), "level": level, "message": text}
		if id != "undefined" {
			line["requestId"] = id
		}
		b, _ := json.Marshal(line)
		inv.print(string(b) + "\n")
		return
	}
	inv.print(inv.cloud.now().UTC().Format(lineTime) + "\t" + id + "\t" + level + "\t" + strings.TrimSuffix(text, "\n") + "\n")
}

const lineTime = "2006-01-02T15:04:05.000Z"

// system writes a line of Lambda's own, in the function's format; the status is that of the run's end. The caller holds mu.
func (inv *Invocation) system(text, kind, status string) {
	failed := status != "" && status != "success"
	switch {
	case inv.fn.LogFormat != "JSON":
		inv.print(text)
	case inv.fn.SystemLogLevel != "WARN" || failed:
		record := map[string]any{"requestId": inv.RequestID, "version": "$LATEST"}
		if status != "" {
			record = map[string]any{"requestId": inv.RequestID, "status": status}
		}
		b, _ := json.Marshal(map[string]any{"time": inv.cloud.now().UTC().Format(lineTime), "type": kind, "record": record})
		inv.print(string(b) + "\n")
	}
}

// print writes to the stream; what comes after the end is lost. The caller holds mu.
func (inv *Invocation) print(text string) {
	if inv.over {
		return
	}
	inv.log = append(inv.log, text...)
	inv.cloud.write(resourceKey{inv.fn.Account, inv.fn.Region, "/aws/lambda/" + inv.fn.Name}, inv.env.stream, text)
}

// expire times the invocation out when its time is up, whoever notices first. The caller holds mu.
func (inv *Invocation) expire() {
	if inv.ctx.Err() == context.DeadlineExceeded {
		inv.timeOut()
	}
}

func (inv *Invocation) timeOut() {
	if inv.over {
		return
	}
	inv.print(fmt.Sprintf("%s %s Task timed out after %.2f seconds\n\n", inv.cloud.now().UTC().Format(lineTime), inv.RequestID,
		inv.fn.Timeout.Seconds()))
	inv.functionError, inv.errorLine = "Unhandled", "Status: timeout"
	inv.response, _ = json.Marshal(map[string]string{"errorType": "Sandbox.Timedout", "errorMessage": fmt.Sprintf(
		"RequestId: %s Error: Task timed out after %.2f seconds", inv.RequestID, inv.fn.Timeout.Seconds())})
	inv.finish(true)
}

// finish writes END (not after a time-out) and REPORT, and sets the environment free. The caller holds mu.
func (inv *Invocation) finish(write bool) {
	if inv.over {
		return
	}
	took := max(inv.cloud.now().Sub(inv.started), time.Millisecond)
	if inv.errorLine == "Status: timeout" {
		took = inv.fn.Timeout
	} else if write && inv.fn.LogFormat != "JSON" {
		inv.print("END RequestId: " + inv.RequestID + "\n")
	}
	if write && !inv.noReport {
		ms := float64(took) / float64(time.Millisecond)
		inv.system(fmt.Sprintf("REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t%s\n",
			inv.RequestID, ms, int(math.Ceil(ms)), inv.fn.MemoryMB, inv.fn.MemoryMB*47/100, inv.errorLine), "platform.report", inv.status())
	}
	inv.over = true
	inv.env.busy = false
	close(inv.ended)
	inv.cloud.touch()
}

// status is how Lambda's JSON format names the end of the run.
func (inv *Invocation) status() string {
	switch {
	case inv.errorLine == "Status: timeout":
		return "timeout"
	case inv.functionError != "":
		return "error"
	}
	return "success"
}

// nodeError is how the Node runtime writes an error down.
func nodeError(errorType, message string) string {
	b, _ := json.Marshal(struct {
		ErrorType    string   `json:"errorType"`
		ErrorMessage string   `json:"errorMessage"`
		Stack        []string `json:"stack"`
	}{errorType, message, []string{errorType + ": " + message, "    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)"}})
	return string(b)
}

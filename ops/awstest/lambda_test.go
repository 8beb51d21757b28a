package awstest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

// invoke invokes the function and returns the answer with its request ID.
func (w *world) invoke(kind types.InvocationType, payload string) (*lambda.InvokeOutput, string) {
	w.t.Helper()
	out, err := w.lambda().Invoke(w.t.Context(), &lambda.InvokeInput{
		FunctionName: aws.String(function), InvocationType: kind,
		LogType: map[bool]types.LogType{true: types.LogTypeTail}[kind == types.InvocationTypeRequestResponse], Payload: []byte(payload),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	id, ok := middleware.GetRequestIDMetadata(out.ResultMetadata)
	if !ok {
		w.t.Fatal("no request ID in the answer")
	}
	return out, id
}

// inOrder checks that the lines of the log match the patterns one by one; ID stands for the request ID.
func inOrder(t *testing.T, lines []string, id string, patterns ...string) {
	t.Helper()
	if len(lines) != len(patterns) {
		t.Errorf("%d lines, want %d:\n%q", len(lines), len(patterns), lines)
		return
	}
	for i, p := range patterns {
		p = strings.ReplaceAll(p, "TIME", `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`)
		p = "^" + strings.ReplaceAll(p, "ID", id) + "$"
		if !regexp.MustCompile(p).MatchString(lines[i]) {
			t.Errorf("line %d is %q, want %s", i, lines[i], p)
		}
	}
}

const (
	initLine   = `INIT_START Runtime Version: nodejs:22\.v63\tRuntime Version .+\n`
	startLine  = `START RequestId: ID Version: \$LATEST\n`
	endLine    = `END RequestId: ID\n`
	reportLine = `REPORT RequestId: ID\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: 120 MB\t\n`
)

func TestInvokeAndWait(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.AddFunction(awstest.Function{Name: function, Run: func(inv *awstest.Invocation) {
		inv.Log("INFO", "hello "+string(inv.Payload))
		inv.LogWithoutID("ERROR", "lost\n    at home")
		inv.Return([]byte(`{"ok":true}`))
	}})
	out, id := w.invoke(types.InvocationTypeRequestResponse, `{"a":1}`)
	if out.StatusCode != 200 || string(out.Payload) != `{"ok":true}` || out.FunctionError != nil || *out.ExecutedVersion != "$LATEST" {
		t.Errorf("answer is %+v", out)
	}
	lines := w.Log(group)
	inOrder(t, lines, id, initLine, startLine, `TIME\tID\tINFO\thello {"a":1}\n`, `TIME\tundefined\tERROR\tlost\n    at home\n`, endLine, reportLine)
	if tail, _ := base64.StdEncoding.DecodeString(*out.LogResult); string(tail) != strings.Join(lines, "") {
		t.Errorf("log result is %q", tail)
	}
	calls := w.Calls()
	if last := calls[len(calls)-1]; last.Name() != "lambda:InvokeFunction" || last.InvocationType != "RequestResponse" ||
		string(last.Payload) != `{"a":1}` || last.RequestID != id || !strings.Contains(string(last.Params), `"FunctionName":"`+function+`"`) {
		t.Errorf("ledger says %+v", last)
	}
	w.noProblems()
}

// In the JSON format Lambda's own lines have a level too: WARN leaves out all that goes well.
func TestLogInJSON(t *testing.T) {
	const (
		begun    = `{"record":{"requestId":"ID","version":"\$LATEST"},"time":"TIME","type":"platform\.(initStart|start)"}\n`
		said     = `{"level":"INFO","message":"hello","requestId":"ID","timestamp":"TIME"}\n`
		nameless = `{"level":"ERROR","message":"lost","timestamp":"TIME"}\n`
	)
	ended := func(status string) string {
		return `{"record":{"requestId":"ID","status":"` + status + `"},"time":"TIME","type":"platform\.report"}\n`
	}
	for _, test := range []struct {
		name, level string
		fails       bool
		lines       []string
	}{
		{"everything", "", false, []string{begun, begun, said, nameless, ended("success")}},
		{"from WARN on", "WARN", false, []string{said, nameless}},
		{"from WARN on, of a run that fails", "WARN", true, []string{said, nameless, `{"level":"ERROR".*}\n`, ended("error")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allowAll)
			w.AddFunction(awstest.Function{Name: function, LogFormat: "JSON", SystemLogLevel: test.level, Run: func(inv *awstest.Invocation) {
				inv.Log("INFO", "hello")
				inv.LogWithoutID("ERROR", "lost")
				if test.fails {
					inv.Fail("Error", "it broke")
				}
			}})
			_, id := w.invoke(types.InvocationTypeRequestResponse, "{}")
			inOrder(t, w.Log(group), id, test.lines...)
		})
	}
}

func TestTheLogResultIsTheLast4KB(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.AddFunction(awstest.Function{Name: function, Run: func(inv *awstest.Invocation) {
		inv.Log("INFO", strings.Repeat("x", 8000))
	}})
	out, _ := w.invoke(types.InvocationTypeRequestResponse, "")
	tail, _ := base64.StdEncoding.DecodeString(*out.LogResult)
	if len(tail) != 4096 || !strings.Contains(string(tail), "REPORT") {
		t.Errorf("%d bytes, %q", len(tail), tail[3900:])
	}
}

func TestInvokeWithoutWaiting(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	release := make(chan struct{})
	w.AddFunction(awstest.Function{Name: function, Timeout: time.Minute, Run: func(inv *awstest.Invocation) {
		inv.Log("INFO", "begun")
		<-release
	}})
	out, first := w.invoke(types.InvocationTypeEvent, "{}")
	if out.StatusCode != 202 || len(out.Payload) != 0 {
		t.Errorf("answer is %+v", out)
	}
	_, second := w.invoke(types.InvocationTypeEvent, "{}")
	third := w.Trigger(function)
	states := w.Invocations(function)
	if len(states) != 3 || states[0].RequestID != first || states[1].RequestID != second || states[2].RequestID != third || !states[0].Running {
		t.Errorf("invocations are %+v", states)
	}
	if states[0].LogStream == states[1].LogStream {
		t.Error("two invocations at a time share a log stream")
	}
	if !regexp.MustCompile(`^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$`).MatchString(states[0].LogStream) {
		t.Errorf("log stream is %s", states[0].LogStream)
	}
	close(release)
	w.idle(3)
	_, fourth := w.invoke(types.InvocationTypeEvent, "{}")
	if states := w.idle(4); states[3].RequestID != fourth || states[3].LogStream != states[0].LogStream {
		t.Errorf("a free environment is used again: %+v", states)
	}
	w.noProblems()
}

func TestDryRunRunsNothing(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.AddFunction(awstest.Function{Name: function})
	if out, _ := w.invoke(types.InvocationTypeDryRun, ""); out.StatusCode != 204 {
		t.Errorf("status %d", out.StatusCode)
	}
	if n := len(w.Invocations(function)); n != 0 {
		t.Errorf("%d invocations", n)
	}
}

func TestInvocationsThatFail(t *testing.T) {
	for _, test := range []struct {
		name    string
		timeout time.Duration
		run     func(*awstest.Invocation)
		payload string
		lines   []string
	}{
		{
			"an exception", 0, func(inv *awstest.Invocation) { inv.Fail("Error", "no good") },
			`"errorType":"Error"`,
			[]string{`TIME\tID\tERROR\tInvoke Error \t{"errorType":"Error","errorMessage":"no good",.*}\n`, endLine, reportLine},
		},
		{
			"a panic", 0, func(inv *awstest.Invocation) { panic("oh") },
			`"errorMessage":"oh"`,
			[]string{`TIME\tID\tERROR\tInvoke Error .*\n`, endLine, reportLine},
		},
		{
			"an exit", 0, func(inv *awstest.Invocation) { inv.Exit(128); inv.Log("INFO", "never") },
			`"errorType":"Runtime.ExitError"`,
			[]string{
				`RequestId: ID Error: Runtime exited with error: exit status 128\nRuntime.ExitError\n`, endLine,
				`REPORT RequestId: ID\t.*\tStatus: error\tError Type: Runtime.ExitError\n`,
			},
		},
		{
			"a time-out at once", 300 * time.Second, func(inv *awstest.Invocation) { inv.TimeOut() },
			"Task timed out after 300.00 seconds",
			[]string{
				`TIME ID Task timed out after 300.00 seconds\n\n`,
				`REPORT RequestId: ID\tDuration: 300000.00 ms\tBilled Duration: 300000 ms\t.*\tStatus: timeout\n`,
			},
		},
		{
			"a time-out", time.Millisecond, func(inv *awstest.Invocation) { <-inv.Context().Done(); inv.Log("INFO", "never") },
			"Task timed out after 0.00 seconds",
			[]string{`TIME ID Task timed out after 0.00 seconds\n\n`, `REPORT RequestId: ID\t.*\tStatus: timeout\n`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allowAll)
			w.AddFunction(awstest.Function{Name: function, Timeout: test.timeout, Run: test.run})
			out, id := w.invoke(types.InvocationTypeRequestResponse, "{}")
			if out.StatusCode != 200 || aws.ToString(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), test.payload) {
				t.Errorf("answer is %d %s %s", out.StatusCode, aws.ToString(out.FunctionError), out.Payload)
			}
			inOrder(t, w.Log(group), id, append([]string{initLine, startLine}, test.lines...)...)
		})
	}
}

func TestAnAsynchronousInvocationThatFailsRunsAgainWithTheSameID(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.AddFunction(awstest.Function{Name: function, Retries: 2, Run: func(inv *awstest.Invocation) { inv.Fail("Error", "again") }})
	_, id := w.invoke(types.InvocationTypeEvent, "{}")
	for _, inv := range w.idle(3) {
		if inv.RequestID != id || inv.Error != "Unhandled" {
			t.Errorf("invocation %+v", inv)
		}
	}
}

func TestInvokeRefusals(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.AddFunction(awstest.Function{Name: function})
	for _, test := range []struct {
		name       string
		in         lambda.InvokeInput
		code, part string
	}{
		{
			"no such function",
			lambda.InvokeInput{FunctionName: aws.String("x")},
			"ResourceNotFoundException",
			"Function not found: arn:aws:lambda:eu-west-2:111111111111:function:x",
		},
		{"no such alias", lambda.InvokeInput{FunctionName: aws.String(function), Qualifier: aws.String("live")}, "ResourceNotFoundException", ":live"},
		{
			"another account's",
			lambda.InvokeInput{FunctionName: aws.String("arn:aws:lambda:eu-west-2:222222222222:function:x")},
			"AccessDeniedException", "no resource-based policy",
		},
		{"not JSON", lambda.InvokeInput{FunctionName: aws.String(function), Payload: []byte("{")}, "InvalidRequestContentException", "Could not parse"},
		{"too large", lambda.InvokeInput{
			FunctionName: aws.String(function), InvocationType: types.InvocationTypeEvent,
			Payload: []byte(`"` + strings.Repeat("a", 1<<20) + `"`),
		}, "RequestTooLargeException", ""},
		{"an unknown kind", lambda.InvokeInput{FunctionName: aws.String(function), InvocationType: "Maybe"}, "InvalidParameterValueException", "Maybe"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := w.lambda().Invoke(t.Context(), &test.in)
			want(t, err, test.code, test.part)
		})
	}
	_, err := w.lambda().Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String(function)}, func(o *lambda.Options) { o.Region = "us-east-1" })
	want(t, err, "ResourceNotFoundException", "us-east-1")
	if n := len(w.Invocations(function)); n != 0 {
		t.Errorf("%d invocations", n)
	}
}

func TestAClientThatGivesUpLeavesTheFunctionRunning(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	release := make(chan struct{})
	w.AddFunction(awstest.Function{Name: function, Timeout: time.Minute, Run: func(inv *awstest.Invocation) {
		<-release
		inv.Print("done\n")
	}})
	c := w.lambda()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := c.Invoke(ctx, &lambda.InvokeInput{FunctionName: aws.String(function)})
		ended <- err
	}()
	w.wait("the invocation", func() bool { return len(w.Invocations(function)) == 1 })
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	w.wait("the ledger to say so", func() bool {
		calls := w.Calls()
		return calls[len(calls)-1].ErrorCode == "Cut"
	})
	close(release)
	w.idle(1)
	if log := strings.Join(w.Log(group), ""); !strings.Contains(log, "\ndone\n") {
		t.Errorf("log is %q", log)
	}
	w.noProblems()
}

package awstest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// lambdaService is the Lambda API: REST with JSON.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
func lambdaService() *service {
	w := jsonWire("Message")
	w.throttled = "TooManyRequestsException"
	w.frontStatus, w.deniedStatus, w.throttledStatus = 403, 403, 429
	w.fail = func(w http.ResponseWriter, r *request, f *failure) {
		body := map[string]any{"Message": f.message, "message": f.message, "Type": "User"}
		for k, v := range f.fields {
			body[k] = v
		}
		w.Header().Set("X-Amzn-Errortype", f.code)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(f.status)
		json.NewEncoder(w).Encode(body)
	}
	w.answer = func(w http.ResponseWriter, r *request, out any) {
		a := out.(invokeAnswer)
		for name, value := range a.header {
			w.Header().Set(name, value)
		}
		if a.status == http.StatusOK {
			w.Header().Set("Content-Type", "application/json")
		}
		w.WriteHeader(a.status)
		w.Write(a.payload)
	}
	return &service{
		name: "lambda",
		wire: w,
		action: func(r *request) string {
			if _, ok := invokedFunction(r.http.URL); ok && r.http.Method == http.MethodPost {
				return "Invoke"
			}
			return ""
		},
		calls: map[string]call{
			"Invoke": {
				iam: "InvokeFunction", decode: decodeInvoke,
				resources: func(r *request, in any) []string { return []string{in.(*invokeInput).arn(r)} },
				run:       func(r *request, in any) (any, error) { return r.invoke(in.(*invokeInput)) },
			},
		},
	}
}

func invokedFunction(u *url.URL) (name string, ok bool) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), "/2015-03-31/functions/")
	if !ok {
		return "", false
	}
	if rest, ok = strings.CutSuffix(rest, "/invocations"); !ok || strings.Contains(rest, "/") {
		return "", false
	}
	name, err := url.PathUnescape(rest)
	return name, err == nil && name != ""
}

type invokeInput struct {
	FunctionName   string
	Qualifier      string `json:",omitempty"`
	InvocationType string
	LogType        string
	Payload        json.RawMessage `json:",omitempty"`
}

type invokeAnswer struct {
	status  int
	header  map[string]string
	payload []byte
}

func decodeInvoke(r *request) (any, error) {
	name, _ := invokedFunction(r.http.URL)
	in := &invokeInput{
		FunctionName: name, Qualifier: r.http.URL.Query().Get("Qualifier"),
		InvocationType: r.http.Header.Get("X-Amz-Invocation-Type"), LogType: r.http.Header.Get("X-Amz-Log-Type"),
	}
	if in.InvocationType == "" {
		in.InvocationType = "RequestResponse"
	}
	if in.LogType == "" {
		in.LogType = "None"
	}
	if json.Valid(r.body) {
		in.Payload = r.body
	}
	r.entry.InvocationType, r.entry.Payload = in.InvocationType, r.body
	r.entry.Params, _ = json.Marshal(in)
	for _, header := range []string{"X-Amz-Client-Context", "X-Amz-Durable-Execution-Name", "X-Amz-Tenant-Id"} {
		if r.http.Header.Get(header) != "" {
			r.cloud.problem("%s: %s, which awstest doesn't have", r.name(), header)
			return nil, fail(400, "InvalidParameterValueException", "awstest doesn't have %s", header)
		}
	}
	types := map[string]int{"RequestResponse": 6 << 20, "Event": 1 << 20, "DryRun": 6 << 20}
	limit, ok := types[in.InvocationType]
	switch {
	case !ok:
		return nil, fail(400, "InvalidParameterValueException", "%s",
			constraint("invocationType", in.InvocationType, "satisfy enum value set: [Event, RequestResponse, DryRun]"))
	case in.LogType != "None" && in.LogType != "Tail":
		return nil, fail(400, "InvalidParameterValueException", "%s",
			constraint("logType", in.LogType, "satisfy enum value set: [None, Tail]"))
	case len(r.body) > limit:
		return nil, fail(413, "RequestTooLargeException", "%d byte payload is too large for the %s invocation type (limit %d bytes)",
			len(r.body), in.InvocationType, limit)
	case len(r.body) > 0 && in.Payload == nil:
		return nil, fail(400, "InvalidRequestContentException", "Could not parse request body into json")
	}
	return in, nil
}

// key is where the function is: a name alone is in the caller's account and Region.
func (in *invokeInput) key(r *request) resourceKey {
	k := resourceKey{account: r.who.account, region: r.signature.region, name: in.FunctionName}
	if parts := strings.Split(in.FunctionName, ":"); len(parts) == 7 && parts[0] == "arn" {
		k.account, k.region, k.name = parts[4], parts[3], parts[6]
	} else if len(parts) == 3 {
		k.account, k.name = parts[0], parts[2]
	}
	return k
}

func (in *invokeInput) arn(r *request) string {
	k := in.key(r)
	arn := "arn:aws:lambda:" + k.region + ":" + k.account + ":function:" + k.name
	if in.Qualifier != "" {
		arn += ":" + in.Qualifier
	}
	return arn
}

// invoke starts the function. Event answers at once with the ID that its log lines bear; RequestResponse when it has ended.
func (r *request) invoke(in *invokeInput) (any, error) {
	k := in.key(r)
	fn := r.cloud.functions[k]
	switch {
	case k.account != r.who.account:
		return nil, r.refuse("lambda:InvokeFunction", in.arn(r),
			"because no resource-based policy allows the lambda:InvokeFunction action")
	case fn == nil || k.region != r.signature.region || in.Qualifier != "" && in.Qualifier != "$LATEST":
		return nil, fail(404, "ResourceNotFoundException", "Function not found: %s", in.arn(r))
	}
	header := map[string]string{"X-Amz-Executed-Version": "$LATEST"}
	switch in.InvocationType {
	case "DryRun":
		return invokeAnswer{status: http.StatusNoContent, header: header}, nil
	case "Event":
		r.cloud.start(fn, r.id, r.body, fn.Retries)
		return invokeAnswer{status: http.StatusAccepted}, nil
	}
	return &pendingInvoke{inv: r.cloud.start(fn, r.id, r.body, 0), tail: in.LogType == "Tail", header: header}, nil
}

// pendingInvoke is a RequestResponse invocation that still runs.
type pendingInvoke struct {
	inv    *Invocation
	tail   bool
	header map[string]string
}

func (p *pendingInvoke) wait(r *request) (any, error) {
	select {
	case <-p.inv.ended:
	case <-r.http.Context().Done():
		return nil, r.http.Context().Err()
	}
	r.cloud.mu.Lock()
	defer r.cloud.mu.Unlock()
	if p.inv.functionError != "" {
		p.header["X-Amz-Function-Error"] = p.inv.functionError
	}
	if p.tail {
		log := p.inv.log
		p.header["X-Amz-Log-Result"] = base64.StdEncoding.EncodeToString(log[max(0, len(log)-4096):])
	}
	return invokeAnswer{status: http.StatusOK, header: p.header, payload: p.inv.response}, nil
}

package awstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// service is one AWS API: how to tell its actions apart, and what they do.
type service struct {
	name   string // the signing name, which is also the prefix of its IAM actions
	wire   wire
	action func(*request) string // the API's name of the call; "" when it can't be told
	calls  map[string]call
}

// wire is how a service's protocol looks where services differ.
type wire struct {
	// codes of the errors that the front of every AWS service answers, before the service itself is reached
	invalidKey, badSignature, expired, noCredentials, accessDenied, throttled, unknownAction string

	invalidToken string // of an access key with another's session token; "" is invalidKey

	frontStatus, deniedStatus, throttledStatus int
	statuses                                   map[string]int // of the errors that have one of their own

	answer func(w http.ResponseWriter, r *request, out any)
	fail   func(w http.ResponseWriter, r *request, f *failure)
}

// front is an error of the front of the service.
func (w wire) front(code, message string) *failure {
	status, ok := w.statuses[code]
	if !ok {
		status = w.frontStatus
	}
	return fail(status, code, "%s", message)
}

// call is one action of a service. decode reads the parameters, resources says on which ARNs the caller needs iam, keys which
// condition keys the call has, tags what each of its resources is tagged with, also what else the caller needs, run does it;
// all but decode are called with the Cloud locked.
type call struct {
	iam       string // the IAM action without its prefix
	open      bool   // needs no permission, or asks for it in run
	decode    func(*request) (any, error)
	resources func(*request, any) []string
	keys      func(*request, any) conditionKeys        // nil: none beside the caller's
	tags      func(*request, string) map[string]string // nil: keys has them, where the resource has any
	also      func(*request, any) []permission         // on the same resources; nil: nothing
	run       func(*request, any) (any, error)
}

// permission is an IAM action, with its prefix, and the condition keys that it has beside the caller's.
type permission struct {
	action string
	keys   conditionKeys
}

// later is what run returns when the answer is not known yet: wait is called without the lock, and its result is the answer.
type later interface {
	wait(*request) (any, error)
}

// serviceTable is every service there is.
func serviceTable() map[string]*service {
	table := map[string]*service{}
	for _, s := range []*service{
		stsService(), identityStoreService(), lambdaService(), logsService(), iamService(),
		cloudTrailService(), organizationsService(), costExplorerService(), s3Service(),
	} {
		table[s.name] = s
	}
	return table
}

// jsonCall is a call whose parameters are a JSON object of type In; members In doesn't have are refused.
func jsonCall[In any](iam string, resources func(*request, *In) []string, run func(*request, *In) (any, error)) call {
	return call{
		iam: iam,
		decode: func(r *request) (any, error) {
			in := new(In)
			if json.Valid(r.body) {
				r.entry.Params = json.RawMessage(r.body)
			}
			d := json.NewDecoder(bytes.NewReader(r.body))
			d.DisallowUnknownFields()
			if err := d.Decode(in); err != nil {
				if json.Valid(r.body) {
					r.cloud.problem("%s: %v", r.name(), err)
				}
				return nil, fail(400, "SerializationException", "%v", err)
			}
			return in, nil
		},
		resources: func(r *request, in any) []string { return resources(r, in.(*In)) },
		run:       func(r *request, in any) (any, error) { return run(r, in.(*In)) },
	}
}

// jsonWire is the awsJson1.1 protocol. message is the name of the member with the message in the service's own errors.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
func jsonWire(message string) wire {
	return wire{
		invalidKey: "UnrecognizedClientException", badSignature: "InvalidSignatureException", expired: "ExpiredTokenException",
		noCredentials: "MissingAuthenticationTokenException", accessDenied: "AccessDeniedException",
		throttled: "ThrottlingException", unknownAction: "UnknownOperationException",
		frontStatus: 400, deniedStatus: 400, throttledStatus: 400,
		answer: func(w http.ResponseWriter, r *request, out any) {
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			json.NewEncoder(w).Encode(out)
		},
		fail: func(w http.ResponseWriter, r *request, f *failure) {
			body := map[string]any{"__type": f.code, message: f.message}
			for k, v := range f.fields {
				body[k] = v
			}
			w.Header().Set("Content-Type", "application/x-amz-json-1.1")
			w.WriteHeader(f.status)
			json.NewEncoder(w).Encode(body)
		},
	}
}

// targetAction reads the action from X-Amz-Target, whose prefix is the service's own.
func targetAction(prefix string) func(*request) string {
	return func(r *request) string {
		name, ok := strings.CutPrefix(r.http.Header.Get("X-Amz-Target"), prefix+".")
		if !ok || r.http.Method != http.MethodPost || r.http.URL.Path != "/" ||
			r.http.Header.Get("Content-Type") != "application/x-amz-json-1.1" {
			return ""
		}
		return name
	}
}

// name is the call for people: "identitystore ListUsers".
func (r *request) name() string {
	if r.action == "" {
		return fmt.Sprintf("%s %s %s %s", r.service.name, r.http.Method, r.http.URL, r.http.Header.Get("X-Amz-Target"))
	}
	return r.service.name + " " + r.action
}

// maxBody is a little over the largest body that AWS takes, S3 aside.
const maxBody = 7 << 20

// readBody reads a request's body up to maxBody.
func readBody(r *http.Request) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r.Body, maxBody))
}

package awstest

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Call is one line of the ledger: a request that reached AWS, whatever came of it.
type Call struct {
	// Service and Action are as IAM names them: "lambda", "InvokeFunction". Action is "" for a call awstest doesn't have.
	Service, Action string

	// Principal is the ARN of the session that called, RoleARN that of its role. Both are "" when the access key is unknown.
	Principal, RoleARN string

	// SourceIdentity, SessionTags and SessionPolicy are those of the session; SessionPolicy is the JSON as it was passed.
	SourceIdentity string
	SessionTags    map[string]string
	SessionPolicy  string

	AccessKeyID string
	Region      string // the one it was signed for

	// Allowed tells whether the policies let the call through; a call that nobody could be asked about is not allowed.
	Allowed bool

	// ErrorCode is AWS's code of the error that was answered, "Cut" when there was no answer, "" when the call went well.
	ErrorCode string

	// Params are the parameters as JSON; those of STS and IAM with the names of their APIs, those of S3 with the names of its
	// headers, in lower case, and query parameters beside Bucket and Key.
	Params json.RawMessage

	// InvocationType and Payload are those of lambda:InvokeFunction.
	InvocationType string
	Payload        []byte

	// RequestID is what the answer names; for lambda:InvokeFunction that of the invocation.
	RequestID string

	At time.Time
}

// Name is Service and Action in one: "identitystore:ListUsers".
func (c Call) Name() string { return c.Service + ":" + c.Action }

// Calls returns the ledger, oldest first. Calls that are still being answered are in it.
func (c *Cloud) Calls() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Call, len(c.ledger))
	for i, e := range c.ledger {
		all[i] = *e
		all[i].SessionTags = maps.Clone(e.SessionTags)
		all[i].Params = slices.Clone(e.Params)
		all[i].Payload = slices.Clone(e.Payload)
	}
	return all
}

// Count says how many calls of an action are in the ledger, refused and failed ones among them. action is as IAM names it,
// "lambda:InvokeFunction", and may have wildcards: "identitystore:*".
func (c *Cloud) Count(action string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checkAction(action)
	n := 0
	for _, e := range c.ledger {
		if matchFold(action, e.Name()) {
			n++
		}
	}
	return n
}

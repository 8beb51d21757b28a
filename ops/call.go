package ops

// Call is a call of AWS that changes something.
type Call struct {
	Service    string // "iam"
	Action     string // "DeleteAccessKey"
	Target     string // "AccessKeyId=…, UserName=…"
	Outcome    string // empty: it is about to be made; "done", "failed" or "unknown"
	AWSRequest string // AWS's ID of the request, which CloudTrail has too; empty: none came
	Fault      string // AWS's error code; empty: none
}

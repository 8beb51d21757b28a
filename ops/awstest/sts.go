package awstest

import (
	"encoding/json"
	"encoding/xml"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const stsNamespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// stsService is the Security Token Service: the query protocol, answers in XML.
// https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
func stsService() *service {
	return &service{
		name:   "sts",
		wire:   queryWire(stsNamespace),
		action: queryAction("2011-06-15"),
		calls: map[string]call{
			"AssumeRole": {
				iam: "AssumeRole", open: true, decode: decodeAssumeRole,
				run: func(r *request, in any) (any, error) { return r.assumeRole(in.(*assumeRoleInput)) },
			},
			"GetCallerIdentity": {
				iam: "GetCallerIdentity", open: true,
				decode: func(*request) (any, error) { return nil, nil },
				run: func(r *request, _ any) (any, error) {
					return callerIdentity{Arn: r.who.arn, UserID: r.who.userID, Account: r.who.account}, nil
				},
			},
		},
	}
}

type callerIdentity struct {
	XMLName xml.Name `xml:"GetCallerIdentityResult"`
	Arn     string
	UserID  string `xml:"UserId"`
	Account string
}

type sessionTag struct{ Key, Value string }

type assumeRoleInput struct {
	RoleArn, RoleSessionName string
	DurationSeconds          int
	Policy                   string       `json:",omitempty"`
	SourceIdentity           string       `json:",omitempty"`
	ExternalId               string       `json:",omitempty"`
	Tags                     []sessionTag `json:",omitempty"`
	TransitiveTagKeys        []string     `json:",omitempty"`
}

// assumeRoleLists are the parameters that come as Name.member.1, Name.member.2 …, tags as Tags.member.1.Key.
var assumeRoleLists = regexp.MustCompile(`^(Tags|TransitiveTagKeys)\.member\.([1-9][0-9]?)(?:\.(Key|Value))?$`)

func decodeAssumeRole(r *request) (any, error) {
	form, err := url.ParseQuery(string(r.body))
	if err != nil {
		return nil, fail(400, "MalformedInput", "%v", err)
	}
	in := &assumeRoleInput{DurationSeconds: 3600}
	for name, values := range form {
		value := values[0]
		switch name {
		case "Action", "Version":
		case "RoleArn":
			in.RoleArn = value
		case "RoleSessionName":
			in.RoleSessionName = value
		case "Policy":
			in.Policy = value
		case "SourceIdentity":
			in.SourceIdentity = value
		case "ExternalId":
			in.ExternalId = value
		case "DurationSeconds":
			if in.DurationSeconds, err = strconv.Atoi(value); err != nil {
				return nil, fail(400, "MalformedInput", "DurationSeconds: %v", err)
			}
		default:
			m := assumeRoleLists.FindStringSubmatch(name)
			if m == nil {
				r.cloud.problem("%s: parameter %s, which awstest doesn't have", r.name(), name)
				return nil, fail(400, "ValidationError", "awstest doesn't have the parameter %s", name)
			}
			n, _ := strconv.Atoi(m[2])
			if m[1] == "TransitiveTagKeys" {
				in.TransitiveTagKeys = append(in.TransitiveTagKeys, make([]string, max(0, n-len(in.TransitiveTagKeys)))...)
				in.TransitiveTagKeys[n-1] = value
				continue
			}
			in.Tags = append(in.Tags, make([]sessionTag, max(0, n-len(in.Tags)))...)
			if m[3] == "Key" {
				in.Tags[n-1].Key = value
			} else {
				in.Tags[n-1].Value = value
			}
		}
	}
	r.entry.Params, _ = json.Marshal(in)
	return in, nil
}

var (
	sessionName = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	tagText     = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
	externalID  = regexp.MustCompile(`^[\w+=,.@:\\/-]+$`)
)

// fault says which parameter breaks a rule of the API; "" is none.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (in *assumeRoleInput) fault() string {
	const pattern = `satisfy regular expression pattern: `
	switch {
	case len(in.RoleArn) < 20 || len(in.RoleArn) > 2048:
		return constraint("roleArn", in.RoleArn, "have length greater than or equal to 20")
	case !sessionName.MatchString(in.RoleSessionName):
		return constraint("roleSessionName", in.RoleSessionName, pattern+`[\w+=,.@-]{2,64}`)
	case in.SourceIdentity != "" && !sessionName.MatchString(in.SourceIdentity):
		return constraint("sourceIdentity", in.SourceIdentity, pattern+`[\w+=,.@-]{2,64}`)
	case strings.HasPrefix(strings.ToLower(in.SourceIdentity), "aws:"):
		return "SourceIdentity may not begin with aws:"
	case in.ExternalId != "" && (len(in.ExternalId) < 2 || len(in.ExternalId) > 1224 || !externalID.MatchString(in.ExternalId)):
		return constraint("externalId", in.ExternalId, pattern+`[\w+=,.@:\/-]*`)
	case in.DurationSeconds < 900:
		return constraint("durationSeconds", strconv.Itoa(in.DurationSeconds), "have value greater than or equal to 900")
	case in.DurationSeconds > 43200:
		return constraint("durationSeconds", strconv.Itoa(in.DurationSeconds), "have value less than or equal to 43200")
	case len(in.Policy) > 2048:
		return constraint("policy", in.Policy, "have length less than or equal to 2048")
	case len(in.Tags) > 50:
		return constraint("tags", "…", "have length less than or equal to 50")
	case len(in.TransitiveTagKeys) > 50:
		return constraint("transitiveTagKeys", "…", "have length less than or equal to 50")
	}
	if text := tagFault(in.Tags); text != "" {
		return text
	}
	for _, key := range in.TransitiveTagKeys {
		if !slices.ContainsFunc(in.Tags, func(t sessionTag) bool { return strings.EqualFold(t.Key, key) }) {
			return "The specified transitive tag key must be included in the requested tags."
		}
	}
	return ""
}

// tagFault says which tag breaks a rule that STS and IAM share; "" is none.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules
func tagFault(tags []sessionTag) string {
	const pattern = `satisfy regular expression pattern: `
	seen := map[string]bool{}
	for _, t := range tags {
		key := strings.ToLower(t.Key)
		switch {
		case t.Key == "" || len([]rune(t.Key)) > 128 || !tagText.MatchString(t.Key):
			return constraint("tags.member.key", t.Key, pattern+`[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}`)
		case len([]rune(t.Value)) > 256 || !tagText.MatchString(t.Value):
			return constraint("tags.member.value", t.Value, pattern+`[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}`)
		case strings.HasPrefix(key, "aws:"):
			return "Tag keys may not begin with aws:"
		case seen[key]:
			return "Duplicate tag keys found. Please note that Tag keys are case insensitive."
		}
		seen[key] = true
	}
	return ""
}

// packed is about how much of what STS allows for policy and tags this request takes, in percent. AWS's own packing isn't
// published; this errs on the large side.
func (in *assumeRoleInput) packed() int {
	n := len(in.Policy)
	for _, t := range in.Tags {
		n += len(t.Key) + len(t.Value)
	}
	return (n*100 + 3071) / 3072
}

type assumedRole struct {
	XMLName         xml.Name `xml:"AssumeRoleResult"`
	AccessKeyID     string   `xml:"Credentials>AccessKeyId"`
	SecretAccessKey string   `xml:"Credentials>SecretAccessKey"`
	SessionToken    string   `xml:"Credentials>SessionToken"`
	Expiration      string   `xml:"Credentials>Expiration"`
	AssumedRoleID   string   `xml:"AssumedRoleUser>AssumedRoleId"`
	Arn             string   `xml:"AssumedRoleUser>Arn"`
	Packed          int      `xml:"PackedPolicySize"`
	SourceIdentity  string   `xml:"SourceIdentity,omitempty"`
}

// assumeRole makes a session. The caller is a session itself, so this is role chaining: an hour at most, and its source
// identity and transitive tags stick. Both the caller's policy and the role's trust must allow sts:AssumeRole and, where
// they are used, sts:SetSourceIdentity and sts:TagSession; AWS would let a trust policy that names the caller stand alone,
// the bot's manifests don't rely on it.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (r *request) assumeRole(in *assumeRoleInput) (any, error) {
	if text := in.fault(); text != "" {
		return nil, fail(400, "ValidationError", "%s", text)
	}
	if in.DurationSeconds > 3600 {
		return nil, fail(400, "ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	}
	source := in.SourceIdentity
	if r.who.sourceIdentity != "" {
		if source != "" && source != r.who.sourceIdentity {
			return nil, r.refuse("sts:SetSourceIdentity", in.RoleArn, "because the source identity of the calling session can't be changed")
		}
		source = r.who.sourceIdentity
	}
	tags := map[string]string{}
	for _, key := range r.who.transitive {
		tags[key] = r.who.tags[key]
	}
	for _, t := range in.Tags {
		if slices.ContainsFunc(r.who.transitive, func(k string) bool { return strings.EqualFold(k, t.Key) }) {
			return nil, fail(400, "ValidationError", "The tag key %s is inherited from the calling session and can't be overridden", t.Key)
		}
		tags[t.Key] = t.Value
	}
	target, err := r.mayAssume(in, source, tags)
	if err != nil {
		return nil, err
	}
	if time.Duration(in.DurationSeconds)*time.Second > target.MaxSession {
		return nil, fail(400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	session := &principal{
		accessKeyID: randomKeyID("ASIA"), secret: randomSecret(30), token: randomSecret(240),
		expires: r.cloud.now().Add(time.Duration(in.DurationSeconds) * time.Second).Truncate(time.Second),
		arn:     "arn:aws:sts::" + target.account + ":assumed-role/" + target.name + "/" + in.RoleSessionName,
		roleARN: target.ARN, account: target.account, userID: target.id + ":" + in.RoleSessionName,
		sessionName: in.RoleSessionName, sourceIdentity: source, tags: maps.Clone(target.Tags),
		transitive: append(slices.Clone(r.who.transitive), in.TransitiveTagKeys...),
		identity:   target.policy, sessionText: in.Policy,
	}
	if session.tags == nil {
		session.tags = map[string]string{}
	}
	maps.Copy(session.tags, tags)
	if in.Policy != "" {
		if session.session, err = parsePolicy([]byte(in.Policy), identityPolicy); err != nil {
			r.cloud.problem("session policy for %s: %v", in.RoleArn, err)
			return nil, fail(400, "MalformedPolicyDocument", "%v", err)
		}
	}
	if in.packed() > 100 {
		return nil, fail(400, "PackedPolicyTooLarge", "Packed size of session tags and policy exceeds the limit: %d%%", in.packed())
	}
	r.cloud.principals[session.accessKeyID] = session
	return assumedRole{
		AccessKeyID: session.accessKeyID, SecretAccessKey: session.secret, SessionToken: session.token,
		Expiration: session.expires.UTC().Format(time.RFC3339), AssumedRoleID: session.userID, Arn: session.arn,
		Packed: in.packed(), SourceIdentity: source,
	}, nil
}

// mayAssume asks the caller's policy and the role's trust for each of the three actions that the request uses. A role that
// doesn't exist is refused in the same words as one that may not be assumed.
func (r *request) mayAssume(in *assumeRoleInput, source string, tags map[string]string) (*role, error) {
	extra := conditionKeys{}
	extra.set("sts:RoleSessionName", in.RoleSessionName)
	actions := []string{"sts:AssumeRole"}
	if in.ExternalId != "" {
		extra.set("sts:ExternalId", in.ExternalId)
	}
	if source != "" {
		extra.set("sts:SourceIdentity", source)
		actions = append(actions, "sts:SetSourceIdentity")
	}
	if len(tags) > 0 {
		for key, value := range tags {
			extra.set("aws:RequestTag/"+key, value)
		}
		extra.set("aws:TagKeys", slices.Sorted(maps.Keys(tags))...)
		if len(in.TransitiveTagKeys) > 0 {
			extra.set("sts:TransitiveTagKeys", in.TransitiveTagKeys...)
		}
		actions = append(actions, "sts:TagSession")
	}
	keys := r.who.keys(r.signature.region)
	maps.Copy(keys, extra)
	target := r.cloud.roles[in.RoleArn]
	for _, action := range actions {
		if err := r.authorize(action, []string{in.RoleArn}, extra); err != nil {
			return nil, err
		}
		v := silent
		if target != nil {
			var err error
			if v, err = target.trust.judge(question{action: action, keys: keys, who: r.who}); err != nil {
				r.cloud.problem("trust policy of %s, asked about %s: %v", in.RoleArn, action, err)
			}
		}
		switch v {
		case silent:
			return nil, r.refuse(action, in.RoleArn, "because no role trust policy allows the "+action+" action")
		case denied:
			return nil, r.refuse(action, in.RoleArn, "with an explicit deny in the role trust policy")
		}
	}
	return target, nil
}

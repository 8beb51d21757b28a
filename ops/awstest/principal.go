package awstest

import (
	"strings"
	"time"
)

// principal is whoever holds an access key: the bot's own identity or the session of an assumed role.
type principal struct {
	accessKeyID, secret, token string
	expires                    time.Time // zero: never

	arn, roleARN, account string
	userID, sessionName   string
	sourceIdentity        string
	tags                  map[string]string
	transitive            []string // tag keys that a chained session inherits

	identity    *policy // of the role
	session     *policy // nil: none was passed
	sessionText string
}

// addBase makes the bot's own identity.
func (c *Cloud) addBase() {
	parts, ok := arnParts(c.opts.Principal)
	name := strings.Split(c.opts.Principal, "/")
	p := &principal{
		accessKeyID: randomKeyID("AKIA"),
		secret:      randomSecret(30),
		arn:         c.opts.Principal,
		tags:        map[string]string{},
		identity:    &policy{},
	}
	if !ok || parts[2] != "sts" || len(name) != 3 || !strings.HasPrefix(parts[5], "assumed-role/") {
		c.problem("principal %q is not the ARN of a role session", c.opts.Principal)
	} else {
		p.account, p.sessionName = parts[4], name[2]
		p.roleARN = "arn:aws:iam::" + parts[4] + ":role/" + name[1]
		p.userID = "AROA" + strings.ToUpper(hexSum([]byte(p.roleARN))[:17]) + ":" + name[2]
	}
	parsed, err := parsePolicy([]byte(c.opts.Policy), identityPolicy)
	if err != nil {
		c.problem("policy of %s: %v", c.opts.Principal, err)
	} else {
		p.identity = parsed
	}
	c.principals[p.accessKeyID] = p
	c.AccessKeyID, c.SecretAccessKey = p.accessKeyID, p.secret
}

// keys are the condition keys that every call of p has.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (p *principal) keys(region string) conditionKeys {
	k := conditionKeys{}
	k.set("aws:PrincipalArn", p.roleARN)
	k.set("aws:PrincipalAccount", p.account)
	k.set("aws:PrincipalType", "AssumedRole")
	k.set("aws:PrincipalIsAWSService", "false")
	k.set("aws:userid", p.userID)
	k.set("aws:RequestedRegion", region)
	k.set("aws:SecureTransport", "true")
	if p.sourceIdentity != "" {
		k.set("aws:SourceIdentity", p.sourceIdentity)
	}
	for name, value := range p.tags {
		k.set("aws:PrincipalTag/"+name, value)
	}
	return k
}

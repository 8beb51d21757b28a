package awstest

import (
	"maps"
	"strings"
	"time"
)

// Role is an IAM role.
type Role struct {
	// ARN is arn:aws:iam::ACCOUNT:role/[path/]name.
	ARN string

	// Trust is the trust policy and Policy the permissions, as JSON. A Policy of "" allows nothing.
	Trust, Policy string

	// MaxSession is the longest session; 0 is an hour, as with IAM.
	MaxSession time.Duration

	// Tags are the role's own: its sessions have them as principal tags.
	Tags map[string]string
}

type role struct {
	Role
	account, name, id string
	trust, policy     *policy
}

// AddRole adds a role or replaces the one of the same ARN; sessions that are already there get the new policy too. A role
// that IAM would refuse is named in Problems and allows nothing.
func (c *Cloud) AddRole(r Role) {
	c.mu.Lock()
	defer c.mu.Unlock()
	parts, ok := arnParts(r.ARN)
	if !ok || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") {
		c.problem("add role: %q is not the ARN of a role", r.ARN)
		return
	}
	r.Tags = maps.Clone(r.Tags)
	added := &role{
		Role: r, account: parts[4], name: parts[5][strings.LastIndex(parts[5], "/")+1:],
		id:    "AROA" + strings.ToUpper(hexSum([]byte(r.ARN))[:17]),
		trust: &policy{}, policy: &policy{},
	}
	if added.MaxSession == 0 {
		added.MaxSession = time.Hour
	}
	if p, err := parsePolicy([]byte(r.Trust), trustPolicy); err != nil {
		c.problem("trust policy of %s: %v", r.ARN, err)
	} else {
		added.trust = p
	}
	if r.Policy != "" {
		if p, err := parsePolicy([]byte(r.Policy), identityPolicy); err != nil {
			c.problem("policy of %s: %v", r.ARN, err)
		} else {
			added.policy = p
		}
	}
	c.roles[r.ARN] = added
	for _, p := range c.principals {
		if p.roleARN == r.ARN && !p.expires.IsZero() {
			p.identity = added.policy
		}
	}
}

// RemoveRole removes a role; its sessions can do nothing from then on.
func (c *Cloud) RemoveRole(arn string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.roles, arn)
	for _, p := range c.principals {
		if p.roleARN == arn && !p.expires.IsZero() {
			p.identity = &policy{}
		}
	}
}

package awstest

import (
	"encoding/json"
	"slices"
)

// scpType is the type of service control policies, the only ones awstest has.
const scpType = "SERVICE_CONTROL_POLICY"

// fullAccess is the ID of the policy that allows everything, which is attached to everything new.
const fullAccess = "p-FullAWSAccess"

// maxPolicies is how many service control policies one target can have; the least is one.
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
const maxPolicies = 10

// orgPolicy is a service control policy.
type orgPolicy struct {
	id, name, description, content string
	awsManaged                     bool
}

var fullAccessPolicy = &orgPolicy{
	id: fullAccess, name: "FullAWSAccess", description: "Allows access to every operation", awsManaged: true,
	content: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`,
}

// AddPolicy adds a service control policy, or gives the one of this name another content, and returns its ID.
func (o *Organization) AddPolicy(name, content string) string {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	if name == "" || len(name) > 128 || len(content) > 10240 || !json.Valid([]byte(content)) {
		o.cloud.problem("add policy %q: a name of 1 to 128 characters, and JSON of at most 10240", name)
	}
	id := "p-" + hexSum([]byte(o.id + "\x00" + name))[:8]
	o.policies[id] = &orgPolicy{id: id, name: name, description: name, content: content}
	o.cloud.touch()
	return id
}

// AttachPolicy attaches a policy to the root, an OU or an account; all below inherit it. One that is attached already is no
// problem.
func (o *Organization) AttachPolicy(policy, target string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	e := o.entities[target]
	switch {
	case e == nil || o.policies[policy] == nil:
		o.cloud.problem("attach policy %s to %s: no such policy or target", policy, target)
	case slices.Contains(e.policies, policy):
	case len(e.policies) == maxPolicies:
		o.cloud.problem("attach policy %s to %s: more than %d policies", policy, target, maxPolicies)
	default:
		e.policies = append(e.policies, policy)
		o.cloud.touch()
	}
}

// DetachPolicy takes a policy away from a target that has it, unless it is the last one.
func (o *Organization) DetachPolicy(policy, target string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	e := o.entities[target]
	switch {
	case e == nil || !slices.Contains(e.policies, policy):
		o.cloud.problem("detach policy %s from %s: not attached", policy, target)
	case len(e.policies) == 1:
		o.cloud.problem("detach policy %s from %s: the last policy stays", policy, target)
	default:
		e.policies = slices.DeleteFunc(slices.Clone(e.policies), func(id string) bool { return id == policy })
		o.cloud.touch()
	}
}

func (p *orgPolicy) arn(o *Organization) string {
	owner := o.management + ":policy/" + o.id
	if p.awsManaged {
		owner = "aws:policy"
	}
	return "arn:aws:organizations::" + owner + "/service_control_policy/" + p.id
}

func (p *orgPolicy) summary(o *Organization) answer {
	return answer{
		"Id": p.id, "Arn": p.arn(o), "Name": p.name, "Description": p.description, "Type": scpType, "AwsManaged": p.awsManaged,
	}
}

type policiesInput struct {
	TargetId, Filter string
	orgPageInput
}

func (in *policiesInput) keys(_ *Organization, k conditionKeys) {
	k.set("organizations:PolicyType", in.Filter)
}

// listPoliciesForTarget shows what is attached to the target itself: what it inherits is attached to those above it.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListPoliciesForTarget.html
func listPoliciesForTarget(r *request, o *Organization, in *policiesInput) (any, error) {
	switch {
	case slices.Contains(otherPolicyTypes, in.Filter):
		r.cloud.problem("%s: policies of the type %s, which awstest doesn't have", r.name(), in.Filter)
		return nil, fail(400, "InvalidInputException", "awstest doesn't have policies of the type %s", in.Filter).with("Reason", "INVALID_ENUM_POLICY_TYPE")
	case in.Filter != scpType:
		return nil, orgInvalid("INVALID_ENUM_POLICY_TYPE", "You specified an invalid policy type.")
	case !targetID.MatchString(in.TargetId):
		return nil, orgInvalid("INVALID_PATTERN_TARGET_ID", "You specified a policy target ID that does not match the required pattern.")
	}
	e := o.entities[in.TargetId]
	if e == nil {
		return nil, fail(400, "TargetNotFoundException", "You specified a target that doesn't exist.")
	}
	items, next, err := orgPage(r, in.orgPageInput, in.TargetId, e.policies,
		func(id string) int64 { return int64(slices.Index(e.policies, id)) + 1 },
		func(id string) answer { return o.policies[id].summary(o) })
	return answer{"Policies": items}.paged(next), err
}

// otherPolicyTypes are those that there are beside service control policies.
var otherPolicyTypes = []string{
	"RESOURCE_CONTROL_POLICY", "TAG_POLICY", "BACKUP_POLICY", "AISERVICES_OPT_OUT_POLICY", "CHATBOT_POLICY",
	"DECLARATIVE_POLICY_EC2", "SECURITYHUB_POLICY", "INSPECTOR_POLICY", "UPGRADE_ROLLOUT_POLICY", "BEDROCK_POLICY",
	"S3_POLICY", "NETWORK_SECURITY_DIRECTOR_POLICY", "GUARDDUTY_POLICY",
}

type describePolicyInput struct{ PolicyId string }

func (in *describePolicyInput) keys(o *Organization, k conditionKeys) {
	if o.policies[in.PolicyId] != nil {
		k.set("organizations:PolicyType", scpType)
	}
}

func onPolicy(o *Organization, in *describePolicyInput) []string {
	p := o.policies[in.PolicyId]
	if p == nil {
		p = &orgPolicy{id: in.PolicyId}
	}
	return []string{p.arn(o)}
}

// https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribePolicy.html
func describePolicy(_ *request, o *Organization, in *describePolicyInput) (any, error) {
	if !policyID.MatchString(in.PolicyId) {
		return nil, orgInvalid("INVALID_SYNTAX_POLICY_ID", "You specified an invalid policy ID.")
	}
	p := o.policies[in.PolicyId]
	if p == nil {
		return nil, fail(400, "PolicyNotFoundException", "You specified a policy that doesn't exist.")
	}
	return answer{"Policy": answer{"PolicySummary": p.summary(o), "Content": p.content}}, nil
}

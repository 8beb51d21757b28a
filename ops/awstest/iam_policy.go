package awstest

import (
	"maps"
	"slices"
	"strings"
	"time"
)

type policyNameInput struct {
	iamUserInput
	PolicyName string `query:"required"`
}

type policyNameList struct {
	PolicyNames []string `xml:"PolicyNames>member"`
	iamPaged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserPolicies.html
func listUserPolicies(r *request, i *IAM, in *iamUserPageInput) (any, error) {
	u, err := i.shown(in.UserName)
	if err != nil {
		return nil, err
	}
	items, end, err := iamPage(r, in.iamPageInput, slices.Collect(maps.Keys(u.Inline)), func(s string) string { return s })
	return policyNameList{items, end}, err
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUserPolicy.html
func getUserPolicy(_ *request, i *IAM, in *policyNameInput) (any, error) {
	u, err := i.shown(in.UserName)
	if err != nil {
		return nil, err
	}
	document, ok := u.Inline[in.PolicyName]
	if !ok {
		return nil, noEntity("The user policy with name %s cannot be found.", in.PolicyName)
	}
	return struct{ UserName, PolicyName, PolicyDocument string }{u.Name, in.PolicyName, escapeDocument(document)}, nil
}

type putPolicyInput struct {
	policyNameInput
	PolicyDocument string `query:"required"`
}

// putUserPolicy checks that the document is a JSON object, not that IAM would take it.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPolicy.html
func putUserPolicy(_ *request, i *IAM, in *putPolicyInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	if _, err := object([]byte(in.PolicyDocument)); err != nil {
		return nil, fail(400, "MalformedPolicyDocument", "%v", err)
	}
	i.change()
	if u.Inline == nil {
		u.Inline = map[string]string{}
	}
	u.Inline[in.PolicyName] = in.PolicyDocument
	return nil, nil
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUserPolicy.html
func deleteUserPolicy(_ *request, i *IAM, in *policyNameInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	if _, ok := u.Inline[in.PolicyName]; !ok {
		return nil, noEntity("The user policy with name %s cannot be found.", in.PolicyName)
	}
	i.change()
	delete(u.Inline, in.PolicyName)
	return nil, nil
}

type attachedListInput struct {
	iamUserPageInput
	PathPrefix string
}

type xmlAttached struct{ PolicyName, PolicyArn string }

type attachedList struct {
	AttachedPolicies []xmlAttached `xml:"AttachedPolicies>member"`
	iamPaged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAttachedUserPolicies.html
func listAttachedPolicies(r *request, i *IAM, in *attachedListInput) (any, error) {
	u, err := i.shown(in.UserName)
	if err != nil {
		return nil, err
	}
	var all []xmlAttached
	for _, arn := range u.Attached {
		name := arn[strings.LastIndex(arn, "/")+1:]
		_, path, _ := strings.Cut(strings.TrimSuffix(arn, name), ":policy")
		if hasPath(path, in.PathPrefix) {
			all = append(all, xmlAttached{name, arn})
		}
	}
	items, end, err := iamPage(r, in.iamPageInput, all, func(p xmlAttached) string { return p.PolicyArn })
	return attachedList{items, end}, err
}

type attachInput struct {
	iamUserInput
	PolicyArn string `query:"required"`
}

const maxAttached = 10

// attachPolicy attaches a managed policy; one that is attached already is no error.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_AttachUserPolicy.html
func attachPolicy(_ *request, i *IAM, in *attachInput) (any, error) {
	u, err := i.target(in.UserName)
	switch {
	case err != nil:
		return nil, err
	case !i.now.policies[in.PolicyArn]:
		return nil, noEntity("Policy %s does not exist or is not attachable.", in.PolicyArn)
	case slices.Contains(u.Attached, in.PolicyArn):
		return nil, nil
	case len(u.Attached) >= maxAttached:
		return nil, overQuota("PoliciesPerUser", maxAttached)
	}
	i.change()
	u.Attached = append(u.Attached, in.PolicyArn)
	return nil, nil
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DetachUserPolicy.html
func detachPolicy(_ *request, i *IAM, in *attachInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	return nil, remove(i, &u.Attached, func(arn string) bool { return arn == in.PolicyArn }, "Policy %s was not found.", in.PolicyArn)
}

type xmlGroup struct {
	Path, GroupName, GroupId, Arn string
	CreateDate                    time.Time
}

type groupList struct {
	Groups []xmlGroup `xml:"Groups>member"`
	iamPaged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListGroupsForUser.html
func listGroupsForUser(r *request, i *IAM, in *iamUserPageInput) (any, error) {
	state := i.seen()
	u, err := state.target(in.UserName)
	if err != nil {
		return nil, err
	}
	items, end, err := iamPage(r, in.iamPageInput, u.Groups, func(s string) string { return s })
	out := groupList{iamPaged: end}
	for _, name := range items {
		g := state.group(name)
		out.Groups = append(out.Groups, xmlGroup{g.Path, g.Name, g.ID, g.arn(i.account), g.Created})
	}
	return out, err
}

type groupInput struct {
	GroupName string `query:"required"`
	UserName  string `query:"required"`
}

func (i *IAM) member(in *groupInput) (*IAMUser, *iamGroup, error) {
	g := i.now.group(in.GroupName)
	if g == nil {
		return nil, nil, noEntity("The group with name %s cannot be found.", in.GroupName)
	}
	u, err := i.target(in.UserName)
	return u, g, err
}

const maxGroups = 10

// addUserToGroup is no error for a member.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_AddUserToGroup.html
func addUserToGroup(_ *request, i *IAM, in *groupInput) (any, error) {
	u, g, err := i.member(in)
	switch {
	case err != nil:
		return nil, err
	case slices.Contains(u.Groups, g.Name):
		return nil, nil
	case len(u.Groups) >= maxGroups:
		return nil, overQuota("GroupsPerUser", maxGroups)
	}
	i.change()
	u.Groups = append(u.Groups, g.Name)
	return nil, nil
}

// removeUserFromGroup is no error for a user who isn't a member.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_RemoveUserFromGroup.html
func removeUserFromGroup(_ *request, i *IAM, in *groupInput) (any, error) {
	u, g, err := i.member(in)
	if err != nil {
		return nil, err
	}
	i.change()
	u.Groups = slices.DeleteFunc(u.Groups, func(name string) bool { return name == g.Name })
	return nil, nil
}

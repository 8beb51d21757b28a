package awstest

import (
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

type xmlBoundary struct{ PermissionsBoundaryType, PermissionsBoundaryArn string }

type xmlUser struct {
	Path, UserName, UserId, Arn string
	CreateDate                  time.Time
	PasswordLastUsed            *time.Time
	PermissionsBoundary         *xmlBoundary
	Tags                        *xmlTags
}

type xmlTags struct {
	Tags []sessionTag `xml:"member"`
}

// xml is the user as lists show it: without tags and boundary.
func (u *IAMUser) xml(i *IAM) xmlUser {
	return xmlUser{
		Path: u.Path, UserName: u.Name, UserId: u.ID, Arn: u.arn(i.account), CreateDate: u.Created,
		PasswordLastUsed: xmlTime(u.PasswordLastUsed),
	}
}

func (u *IAMUser) tags() []sessionTag {
	var tags []sessionTag
	for _, key := range slices.Sorted(maps.Keys(u.Tags)) {
		tags = append(tags, sessionTag{key, u.Tags[key]})
	}
	return tags
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html
func getIAMUser(_ *request, i *IAM, in *iamUserInput) (any, error) {
	u, err := i.shown(in.UserName)
	if err != nil {
		return nil, err
	}
	out := u.xml(i)
	if len(u.Tags) > 0 {
		out.Tags = &xmlTags{u.tags()}
	}
	if u.Boundary != "" {
		out.PermissionsBoundary = &xmlBoundary{"Policy", u.Boundary}
	}
	return struct{ User xmlUser }{out}, nil
}

type userListInput struct {
	PathPrefix string
	iamPageInput
}

type userList struct {
	Users []xmlUser `xml:"Users>member"`
	iamPaged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUsers.html
func listIAMUsers(r *request, i *IAM, in *userListInput) (any, error) {
	var all []*IAMUser
	for _, u := range i.seen().users {
		if hasPath(u.Path, in.PathPrefix) {
			all = append(all, u)
		}
	}
	items, end, err := iamPage(r, in.iamPageInput, all, func(u *IAMUser) string { return strings.ToLower(u.Name) })
	out := userList{iamPaged: end}
	for _, u := range items {
		out.Users = append(out.Users, u.xml(i))
	}
	return out, err
}

// conflict says in AWS's words what keeps a user from being deleted; nil is nothing. A boundary doesn't.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUser.html
func (u *IAMUser) conflict() *failure {
	for _, rest := range []struct {
		n    int
		what string
	}{
		{len(u.Groups), "must remove users from group first."},
		{len(u.Attached), "must detach all policies first."},
		{len(u.Inline), "must delete policies first."},
		{len(u.AccessKeys), "must delete access keys first."},
		{len(u.MFA), "must delete MFA device first."},
		{len(u.Certificates), "must delete certificates first."},
		{len(u.SSHKeys) + len(u.Credentials), "must remove referenced objects first."},
	} {
		if rest.n > 0 {
			return fail(409, "DeleteConflict", "Cannot delete entity, %s", rest.what)
		}
	}
	if u.Login != nil {
		return fail(409, "DeleteConflict", "Cannot delete entity, must delete login profile first.")
	}
	return nil
}

func deleteIAMUser(_ *request, i *IAM, in *iamUserInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	if f := u.conflict(); f != nil {
		return nil, f
	}
	i.change()
	delete(i.now.users, strings.ToLower(u.Name))
	return nil, nil
}

type tagList struct {
	Tags []sessionTag `xml:"Tags>member"`
	iamPaged
}

func listUserTags(r *request, i *IAM, in *iamUserPageInput) (any, error) {
	u, err := i.shown(in.UserName)
	if err != nil {
		return nil, err
	}
	items, end, err := iamPage(r, in.iamPageInput, u.tags(), func(t sessionTag) string { return t.Key })
	return tagList{items, end}, err
}

const maxTags = 50

type tagUserInput struct {
	iamUserInput
	Tags []sessionTag `query:"required"`
}

// tagUser sets tags. Keys are compared without regard to case; the new spelling stays.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html
func tagUser(_ *request, i *IAM, in *tagUserInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	if len(in.Tags) > maxTags {
		return nil, iamInvalid("%s", constraint("tags", "…", "have length less than or equal to 50"))
	}
	if text := tagFault(in.Tags); text != "" {
		return nil, fail(400, "InvalidInput", "%s", text)
	}
	tags := maps.Clone(u.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	for _, t := range in.Tags {
		maps.DeleteFunc(tags, func(key, _ string) bool { return strings.EqualFold(key, t.Key) })
		tags[t.Key] = t.Value
	}
	if len(tags) > maxTags {
		return nil, fail(409, "LimitExceeded", "The number of tags has reached the maximum limit.")
	}
	i.change()
	u.Tags = tags
	return nil, nil
}

type untagUserInput struct {
	iamUserInput
	TagKeys []string `query:"required"`
}

// untagUser takes tags away; one that isn't there is no error.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagUser.html
func untagUser(_ *request, i *IAM, in *untagUserInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	if len(in.TagKeys) > maxTags {
		return nil, iamInvalid("%s", constraint("tagKeys", "…", "have length less than or equal to 50"))
	}
	i.change()
	tags := maps.Clone(u.Tags)
	maps.DeleteFunc(tags, func(key, _ string) bool { return containsFold(in.TagKeys, key) })
	u.Tags = tags
	return nil, nil
}

type boundaryInput struct {
	iamUserInput
	PermissionsBoundary string `query:"required"`
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPermissionsBoundary.html
func putBoundary(_ *request, i *IAM, in *boundaryInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	if !i.now.policies[in.PermissionsBoundary] {
		return nil, noEntity("Scope ARN: %s does not exist or is not attachable.", in.PermissionsBoundary)
	}
	i.change()
	u.Boundary = in.PermissionsBoundary
	return nil, nil
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteUserPermissionsBoundary.html
func deleteBoundary(_ *request, i *IAM, in *iamUserInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	i.change()
	u.Boundary = ""
	return nil, nil
}

// hasPath tells whether a path begins with prefix, where "" is every one.
func hasPath(path, prefix string) bool { return strings.HasPrefix(path, prefix) }

// escapeDocument is a policy as IAM answers it: URL-encoded after RFC 3986.
func escapeDocument(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func writeMarker(action, last string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(action + " " + last))
}

func readMarker(action, marker string) (last string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(marker)
	if err != nil {
		return "", false
	}
	return strings.CutPrefix(string(raw), action+" ")
}

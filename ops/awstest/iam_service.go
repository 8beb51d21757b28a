package awstest

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const iamNamespace = "https://iam.amazonaws.com/doc/2010-05-08/"

// iamService is Identity and Access Management. It is global: whatever Region a call is signed for, policies see us-east-1.
// Which resource each action needs is the Actions table of
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html
// https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html
func iamService() *service {
	w := queryWire(iamNamespace)
	w.statuses = map[string]int{
		"NoSuchEntity": 404, "EntityAlreadyExists": 409, "DeleteConflict": 409, "LimitExceeded": 409,
		"ConcurrentModification": 409, "EntityTemporarilyUnmodifiable": 409, "ServiceFailure": 500,
	}
	return &service{
		name:   "iam",
		wire:   w,
		action: queryAction("2010-05-08"),
		calls: map[string]call{
			"GetUser":                       iamCall("GetUser", onUser, getIAMUser),
			"ListUsers":                     iamCall("ListUsers", onAll, listIAMUsers),
			"DeleteUser":                    iamCall("DeleteUser", onUser, deleteIAMUser),
			"ListUserTags":                  iamCall("ListUserTags", onUser, listUserTags),
			"TagUser":                       iamCall("TagUser", onUser, tagUser),
			"UntagUser":                     iamCall("UntagUser", onUser, untagUser),
			"PutUserPermissionsBoundary":    iamCall("PutUserPermissionsBoundary", onUser, putBoundary),
			"DeleteUserPermissionsBoundary": iamCall("DeleteUserPermissionsBoundary", onUser, deleteBoundary),

			"CreateAccessKey":                 iamCall("CreateAccessKey", onUser, createAccessKey),
			"ListAccessKeys":                  iamCall("ListAccessKeys", onUser, listAccessKeys),
			"GetAccessKeyLastUsed":            iamCall("GetAccessKeyLastUsed", onKeyOwner, getAccessKeyLastUsed),
			"UpdateAccessKey":                 iamCall("UpdateAccessKey", onUser, updateAccessKey),
			"DeleteAccessKey":                 iamCall("DeleteAccessKey", onUser, deleteAccessKey),
			"CreateLoginProfile":              iamCall("CreateLoginProfile", onUser, createLoginProfile),
			"GetLoginProfile":                 iamCall("GetLoginProfile", onUser, getLoginProfile),
			"DeleteLoginProfile":              iamCall("DeleteLoginProfile", onUser, deleteLoginProfile),
			"ListSSHPublicKeys":               iamCall("ListSSHPublicKeys", onUser, listSSHKeys),
			"DeleteSSHPublicKey":              iamCall("DeleteSSHPublicKey", onUser, deleteSSHKey),
			"ListSigningCertificates":         iamCall("ListSigningCertificates", onUser, listCertificates),
			"DeleteSigningCertificate":        iamCall("DeleteSigningCertificate", onUser, deleteCertificate),
			"ListServiceSpecificCredentials":  iamCall("ListServiceSpecificCredentials", onUser, listCredentials),
			"DeleteServiceSpecificCredential": iamCall("DeleteServiceSpecificCredential", onUser, deleteCredential),

			"ListMFADevices":         iamCall("ListMFADevices", onUser, listMFADevices),
			"GetMFADevice":           iamCall("GetMFADevice", onUser, getMFADevice),
			"DeactivateMFADevice":    iamCall("DeactivateMFADevice", onUser, deactivateMFADevice),
			"ListVirtualMFADevices":  iamCall("ListVirtualMFADevices", onAll, listVirtualMFADevices),
			"DeleteVirtualMFADevice": iamCall("DeleteVirtualMFADevice", onDevice, deleteVirtualMFADevice),

			"ListUserPolicies":         iamCall("ListUserPolicies", onUser, listUserPolicies),
			"GetUserPolicy":            iamCall("GetUserPolicy", onUser, getUserPolicy),
			"PutUserPolicy":            iamCall("PutUserPolicy", onUser, putUserPolicy),
			"DeleteUserPolicy":         iamCall("DeleteUserPolicy", onUser, deleteUserPolicy),
			"ListAttachedUserPolicies": iamCall("ListAttachedUserPolicies", onUser, listAttachedPolicies),
			"AttachUserPolicy":         iamCall("AttachUserPolicy", onUser, attachPolicy),
			"DetachUserPolicy":         iamCall("DetachUserPolicy", onUser, detachPolicy),
			"ListGroupsForUser":        iamCall("ListGroupsForUser", onUser, listGroupsForUser),
			"AddUserToGroup":           iamCall("AddUserToGroup", onGroup, addUserToGroup),
			"RemoveUserFromGroup":      iamCall("RemoveUserFromGroup", onGroup, removeUserFromGroup),

			"ListAccountAliases": iamCall("ListAccountAliases", onAll, listAccountAliases),
			"ListRoles":          iamCall("ListRoles", onAll, listRoles),
		},
	}
}

// iamCall makes an action on the IAM of the caller's account.
func iamCall[In any](name string, on func(*IAM, *In) []string, run func(*request, *IAM, *In) (any, error)) call {
	made := queryCall(name, iamShapes,
		func(r *request, in *In) []string { return on(r.cloud.iam(r.who.account), in) },
		func(r *request, in *In) (any, error) { return run(r, r.cloud.iam(r.who.account), in) })
	made.keys = func(r *request, in any) conditionKeys { return r.cloud.iam(r.who.account).keys(name, in) }
	return made
}

// Parameters that many actions have.
type (
	iamUserInput struct{ UserName string }
	iamPageInput struct {
		Marker   string
		MaxItems int
	}
	iamUserPageInput struct {
		iamUserInput
		iamPageInput
	}
)

func (in *iamUserInput) userName() string { return in.UserName }

// onUser is the user that the parameters name; none named stands for all.
func onUser[In any](i *IAM, in *In) []string {
	name := any(in).(interface{ userName() string }).userName()
	switch u := i.now.user(name); {
	case u != nil:
		return []string{u.arn(i.account)}
	case name == "":
		return []string{"arn:aws:iam::" + i.account + ":user/*"}
	}
	return []string{"arn:aws:iam::" + i.account + ":user/" + name}
}

// onAll is for the actions that know no resources.
func onAll[In any](*IAM, *In) []string { return []string{"*"} }

func onKeyOwner(i *IAM, in *accessKeyInput) []string {
	if u, _ := i.now.keyOwner(in.AccessKeyId); u != nil {
		return []string{u.arn(i.account)}
	}
	return []string{"arn:aws:iam::" + i.account + ":user/*"}
}

func onDevice(_ *IAM, in *deviceInput) []string { return []string{in.SerialNumber} }

func onGroup(i *IAM, in *groupInput) []string {
	if g := i.now.group(in.GroupName); g != nil {
		return []string{g.arn(i.account)}
	}
	return []string{"arn:aws:iam::" + i.account + ":group/" + in.GroupName}
}

// keys are the condition keys of a call: the tags of the user it is about and what each action adds.
func (i *IAM) keys(action string, in any) conditionKeys {
	k := conditionKeys{}
	k.set("aws:RequestedRegion", "us-east-1")
	if named, ok := in.(interface{ userName() string }); ok {
		if u := i.now.user(named.userName()); u != nil {
			for key, value := range u.Tags {
				k.set("aws:ResourceTag/"+key, value)
				k.set("iam:ResourceTag/"+key, value)
			}
			about := []string{"AttachUserPolicy", "DetachUserPolicy", "PutUserPolicy", "DeleteUserPolicy", "DeleteUserPermissionsBoundary"}
			if u.Boundary != "" && slices.Contains(about, action) {
				k.set("iam:PermissionsBoundary", u.Boundary)
			}
		}
	}
	switch in := in.(type) {
	case *attachInput:
		k.set("iam:PolicyARN", in.PolicyArn)
	case *boundaryInput:
		k.set("iam:PermissionsBoundary", in.PermissionsBoundary)
	case *tagUserInput:
		var names []string
		for _, t := range in.Tags {
			k.set("aws:RequestTag/"+t.Key, t.Value)
			names = append(names, t.Key)
		}
		k.set("aws:TagKeys", names...)
	case *untagUserInput:
		k.set("aws:TagKeys", in.TagKeys...)
	}
	return k
}

// iamShapes are the parameters that must look a certain way.
var iamShapes = map[string]shape{
	"UserName":                    pattern(`[\w+=,.@-]{1,64}`),
	"GroupName":                   pattern(`[\w+=,.@-]{1,128}`),
	"PolicyName":                  pattern(`[\w+=,.@-]{1,128}`),
	"AccessKeyId":                 pattern(`\w{16,128}`),
	"SSHPublicKeyId":              pattern(`\w{20,128}`),
	"CertificateId":               pattern(`\w{24,128}`),
	"ServiceSpecificCredentialId": pattern(`\w{20,128}`),
	"SerialNumber":                pattern(`[\w+=/:,.@-]{9,256}`),
	"PolicyArn":                   length(20, 2048),
	"PermissionsBoundary":         length(20, 2048),
	"PathPrefix":                  pattern(`/[!-~]{0,511}`),
	"Password":                    length(1, 128),
	"PolicyDocument":              length(1, 131072),
	"Status":                      oneOf("Active", "Inactive"),
	"AssignmentStatus":            oneOf("Assigned", "Unassigned", "Any"),
	"MaxItems": {rule: "have value between 1 and 1000", ok: func(s string) bool {
		n, err := strconv.Atoi(s)
		return err == nil && n >= 1 && n <= 1000
	}},
}

func pattern(text string) shape {
	return shape{regexp.MustCompile(`^(?:` + text + `)$`).MatchString, "satisfy regular expression pattern: " + text}
}

func length(from, to int) shape {
	return shape{func(s string) bool { return len(s) >= from && len(s) <= to }, fmt.Sprintf("have length between %d and %d", from, to)}
}

func oneOf(values ...string) shape {
	return shape{
		func(s string) bool { return slices.Contains(values, s) },
		"satisfy enum value set: [" + strings.Join(values, ", ") + "]",
	}
}

// target is the user that a change is about.
func (i *IAM) target(name string) (*IAMUser, error) { return i.now.target(name) }

// shown is the user that a read is about.
func (i *IAM) shown(name string) (*IAMUser, error) { return i.seen().target(name) }

func (s *iamState) target(name string) (*IAMUser, error) {
	if name == "" {
		return nil, iamInvalid("Must specify userName when calling with non-User credentials")
	}
	if u := s.user(name); u != nil {
		return u, nil
	}
	return nil, noEntity("The user with name %s cannot be found.", name)
}

func noEntity(format string, args ...any) *failure { return fail(404, "NoSuchEntity", format, args...) }

func iamInvalid(format string, args ...any) *failure {
	return fail(400, "ValidationError", format, args...)
}

func overQuota(quota string, n int) *failure {
	return fail(409, "LimitExceeded", "Cannot exceed quota for %s: %d", quota, n)
}

// iamPaged ends every list.
type iamPaged struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// iamPage cuts one page out of all, in the order of key. The marker holds the last key of the page before, so a list that
// changes in between skips and repeats nothing that stayed.
func iamPage[T any](r *request, in iamPageInput, all []T, key func(T) string) ([]T, iamPaged, error) {
	size := 100
	if in.MaxItems > 0 {
		size = in.MaxItems
	}
	if r.cloud.pageSize > 0 {
		size = min(size, r.cloud.pageSize)
	}
	all = sorted(all, key)
	if in.Marker != "" {
		last, ok := readMarker(r.action, in.Marker)
		if !ok {
			return nil, iamPaged{}, iamInvalid("Invalid Marker.")
		}
		for len(all) > 0 && key(all[0]) <= last {
			all = all[1:]
		}
	}
	if len(all) <= size {
		return all, iamPaged{}, nil
	}
	return all[:size], iamPaged{true, writeMarker(r.action, key(all[size-1]))}, nil
}

// xmlTime is a time in an answer; the zero time isn't there.
func xmlTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func status(inactive bool) string {
	if inactive {
		return "Inactive"
	}
	return "Active"
}

type aliasList struct {
	AccountAliases []string `xml:"AccountAliases>member"`
	iamPaged
}

func listAccountAliases(r *request, i *IAM, in *iamPageInput) (any, error) {
	items, end, err := iamPage(r, *in, i.aliases, func(s string) string { return s })
	return aliasList{items, end}, err
}

type roleListInput struct {
	PathPrefix string
	iamPageInput
}

type xmlRole struct {
	Path, RoleName, RoleId, Arn string
	CreateDate                  time.Time
	AssumeRolePolicyDocument    string
	MaxSessionDuration          int
}

type roleList struct {
	Roles []xmlRole `xml:"Roles>member"`
	iamPaged
}

// listRoles shows the roles of AddRole; they are as old as the epoch.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html
func listRoles(r *request, i *IAM, in *roleListInput) (any, error) {
	var all []*role
	for _, known := range r.cloud.roles {
		if known.account == i.account && hasPath(known.path(), in.PathPrefix) {
			all = append(all, known)
		}
	}
	items, end, err := iamPage(r, in.iamPageInput, all, func(known *role) string { return known.name })
	out := roleList{iamPaged: end}
	for _, known := range items {
		out.Roles = append(out.Roles, xmlRole{
			known.path(), known.name, known.id, known.ARN, time.Unix(0, 0).UTC(),
			escapeDocument(known.Trust), int(known.MaxSession.Seconds()),
		})
	}
	return out, err
}

// path is what the ARN has between role and the name: / or /teams/.
func (r *role) path() string {
	parts, _ := arnParts(r.ARN)
	return strings.TrimSuffix(strings.TrimPrefix(parts[5], "role"), r.name)
}

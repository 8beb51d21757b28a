package awstest

import (
	"encoding/base64"
	"regexp"
	"strconv"
	"strings"
)

// identityStoreService is the Identity Store API. Which resources each action needs is the Actions table of
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentitystore.html
// https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/welcome.html
func identityStoreService() *service {
	return &service{
		name:   "identitystore",
		wire:   jsonWire("Message"),
		action: targetAction("AWSIdentityStore"),
		calls: map[string]call{
			"ListUsers":                     storeCall("ListUsers", listUsers, allUsers),
			"ListGroups":                    storeCall("ListGroups", listGroups, allGroups),
			"ListGroupMemberships":          storeCall("ListGroupMemberships", listGroupMemberships, groupOf, allMemberships),
			"ListGroupMembershipsForMember": storeCall("ListGroupMembershipsForMember", listMembershipsForMember, memberOf, allMemberships),
			"DescribeUser":                  storeCall("DescribeUser", describeUser, userOf),
			"DescribeGroup":                 storeCall("DescribeGroup", describeGroup, groupOf),
			"DescribeGroupMembership":       storeCall("DescribeGroupMembership", describeMembership, membershipParts),
			"GetUserId":                     storeCall("GetUserId", getUserID, userOf),
			"GetGroupId":                    storeCall("GetGroupId", getGroupID, groupOf),
			"GetGroupMembershipId":          storeCall("GetGroupMembershipId", getMembershipID, groupOf, memberOf, membershipBetween),
			"IsMemberInGroups":              storeCall("IsMemberInGroups", isMemberInGroups, groupsOf, memberOf, allMemberships),
			"CreateUser":                    storeCall("CreateUser", createUser),
			"CreateGroup":                   storeCall("CreateGroup", createGroup),
			"CreateGroupMembership":         storeCall("CreateGroupMembership", createMembership, groupOf, memberOf),
			"DeleteUser":                    storeCall("DeleteUser", deleteUser, userOf),
			"DeleteGroup":                   storeCall("DeleteGroup", deleteGroup, groupOf),
			"DeleteGroupMembership":         storeCall("DeleteGroupMembership", deleteMembership, membershipParts),
		},
	}
}

// storeInput has the parameters of all the actions; each action says which it takes.
type storeInput struct {
	IdentityStoreId     string
	MaxResults          *int
	NextToken           *string
	UserId              *string
	GroupId             *string
	GroupIds            []string
	MembershipId        *string
	MemberId            *struct{ UserId *string }
	AlternateIdentifier *struct {
		UniqueAttribute *struct{ AttributePath, AttributeValue string }
		ExternalId      *externalIdentifier
	}
	UserName    *string
	DisplayName *string
	Description *string
	Name        *personName
	Emails      []Email
}

// taken are the parameters an action takes beside IdentityStoreId.
var taken = map[string]string{
	"ListUsers": "MaxResults NextToken", "ListGroups": "MaxResults NextToken",
	"ListGroupMemberships":          "MaxResults NextToken GroupId",
	"ListGroupMembershipsForMember": "MaxResults NextToken MemberId",
	"DescribeUser":                  "UserId", "DescribeGroup": "GroupId", "DescribeGroupMembership": "MembershipId",
	"GetUserId": "AlternateIdentifier", "GetGroupId": "AlternateIdentifier", "GetGroupMembershipId": "GroupId MemberId",
	"IsMemberInGroups": "GroupIds MemberId", "CreateUser": "UserName DisplayName Name Emails",
	"CreateGroup": "DisplayName Description", "CreateGroupMembership": "GroupId MemberId",
	"DeleteUser": "UserId", "DeleteGroup": "GroupId", "DeleteGroupMembership": "MembershipId",
}

// storeResource says on which ARNs, beside the store's own, the caller must be allowed an action.
type storeResource func(s *IdentityStore, in *storeInput) []string

const storeARN = "arn:aws:identitystore:::"

func allUsers(*IdentityStore, *storeInput) []string       { return []string{storeARN + "user/*"} }
func allGroups(*IdentityStore, *storeInput) []string      { return []string{storeARN + "group/*"} }
func allMemberships(*IdentityStore, *storeInput) []string { return []string{storeARN + "membership/*"} }

// userOf is the user that is named by ID or found by another attribute; one that isn't there stands for all.
func userOf(s *IdentityStore, in *storeInput) []string {
	if in.UserId != nil {
		return []string{storeARN + "user/" + bareID(*in.UserId)}
	}
	if u, _ := s.userBy(in); u != nil {
		return []string{u.UserArn}
	}
	return []string{storeARN + "user/*"}
}

func groupOf(s *IdentityStore, in *storeInput) []string {
	if in.GroupId != nil {
		return []string{storeARN + "group/" + bareID(*in.GroupId)}
	}
	if g, _ := s.groupBy(in); g != nil {
		return []string{g.GroupArn}
	}
	return []string{storeARN + "group/*"}
}

func groupsOf(_ *IdentityStore, in *storeInput) []string {
	var arns []string
	for _, id := range in.GroupIds {
		arns = append(arns, storeARN+"group/"+bareID(id))
	}
	return arns
}

func memberOf(_ *IdentityStore, in *storeInput) []string {
	if in.MemberId == nil || in.MemberId.UserId == nil {
		return []string{storeARN + "user/*"}
	}
	return []string{storeARN + "user/" + bareID(*in.MemberId.UserId)}
}

// membershipBetween is the membership of a user in a group; one that isn't there stands for all.
func membershipBetween(s *IdentityStore, in *storeInput) []string {
	if in.GroupId != nil && in.MemberId != nil && in.MemberId.UserId != nil {
		if m := s.membershipOf(bareID(*in.GroupId), bareID(*in.MemberId.UserId)); m != nil {
			return []string{m.MembershipArn}
		}
	}
	return []string{storeARN + "membership/*"}
}

// membershipParts are a membership, its group and its user.
func membershipParts(s *IdentityStore, in *storeInput) []string {
	if in.MembershipId == nil {
		return []string{storeARN + "membership/*"}
	}
	arns := []string{storeARN + "membership/" + bareID(*in.MembershipId)}
	if m := s.membership(bareID(*in.MembershipId)); m != nil {
		arns = append(arns, storeARN+"group/"+m.GroupId, storeARN+"user/"+m.MemberId.UserId)
	}
	return arns
}

// bareID is the ID at the end of an ARN; since September 2026 the API takes either.
func bareID(s string) string {
	if strings.HasPrefix(s, "arn:") {
		return s[strings.LastIndex(s, "/")+1:]
	}
	return s
}

var (
	storeID    = regexp.MustCompile(`^d-[0-9a-f]{10}$`)
	resourceID = regexp.MustCompile(`^([0-9a-f]{10}-|)[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}$`)
)

// storeCall makes an action of the API: the store is looked up, the parameters' shapes are checked, then run does it.
func storeCall(name string, run func(*request, *IdentityStore, *storeInput) (any, error), needs ...storeResource) call {
	store := func(r *request, in *storeInput) *IdentityStore {
		s := r.cloud.stores[bareID(in.IdentityStoreId)]
		if s == nil || s.region != r.signature.region || s.account != r.who.account {
			return nil
		}
		return s
	}
	made := jsonCall(name,
		func(r *request, in *storeInput) []string {
			arns := []string{"arn:aws:identitystore::" + r.who.account + ":identitystore/" + bareID(in.IdentityStoreId)}
			s := store(r, in)
			if s == nil {
				s = &IdentityStore{}
			}
			for _, need := range needs {
				arns = append(arns, need(s, in)...)
			}
			return arns
		},
		func(r *request, in *storeInput) (any, error) {
			s := store(r, in)
			if s == nil {
				return nil, notFound("IDENTITY_STORE", in.IdentityStoreId)
			}
			return run(r, s, in)
		})
	decode := made.decode
	made.decode = func(r *request) (any, error) {
		in, err := decode(r)
		if err != nil {
			return nil, err
		}
		return in, in.(*storeInput).check(r, name)
	}
	return made
}

// check holds the parameters to the shapes of the API.
func (in *storeInput) check(r *request, action string) error {
	given := map[string]bool{
		"MaxResults": in.MaxResults != nil, "NextToken": in.NextToken != nil, "UserId": in.UserId != nil,
		"GroupId": in.GroupId != nil, "GroupIds": in.GroupIds != nil, "MembershipId": in.MembershipId != nil,
		"MemberId": in.MemberId != nil, "AlternateIdentifier": in.AlternateIdentifier != nil, "UserName": in.UserName != nil,
		"DisplayName": in.DisplayName != nil, "Description": in.Description != nil, "Name": in.Name != nil, "Emails": in.Emails != nil,
	}
	takes := strings.Fields(taken[action])
	for _, name := range takes {
		optional := name == "MaxResults" || name == "NextToken" || name == "Description" || name == "Emails"
		if !given[name] && !optional {
			return invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", lowerFirst(name))
		}
		delete(given, name)
	}
	for name, is := range given {
		if is {
			r.cloud.problem("%s: takes no %s", r.name(), name)
			return invalid("awstest: %s takes no %s", action, name)
		}
	}
	if !storeID.MatchString(bareID(in.IdentityStoreId)) {
		return invalid("%s", constraint("identityStoreId", in.IdentityStoreId, "satisfy regular expression pattern: d-[0-9a-f]{10}$"))
	}
	ids := map[string][]string{"groupIds": in.GroupIds}
	for name, id := range map[string]*string{"userId": in.UserId, "groupId": in.GroupId, "membershipId": in.MembershipId} {
		if id != nil {
			ids[name] = []string{*id}
		}
	}
	if in.MemberId != nil {
		if in.MemberId.UserId == nil {
			return invalid("MemberId must have a UserId")
		}
		ids["memberId.userId"] = []string{*in.MemberId.UserId}
	}
	for name, values := range ids {
		for _, v := range values {
			if !resourceID.MatchString(bareID(v)) {
				return invalid("%s", constraint(name, v, "satisfy regular expression pattern: "+resourceID.String()))
			}
		}
	}
	if n := len(in.GroupIds); in.GroupIds != nil && (n == 0 || n > 100) {
		return invalid("%s", constraint("groupIds", strconv.Itoa(n), "have length between 1 and 100"))
	}
	if in.MaxResults != nil && (*in.MaxResults < 1 || *in.MaxResults > 100) {
		return invalid("%s", constraint("maxResults", strconv.Itoa(*in.MaxResults), "have value between 1 and 100"))
	}
	return nil
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

func invalid(format string, args ...any) error {
	return fail(400, "ValidationException", format, args...)
}

func notFound(kind, id string) error {
	return fail(400, "ResourceNotFoundException", "%s not found.", kind).with("ResourceType", kind).with("ResourceId", id)
}

func conflict(format string, args ...any) error {
	return fail(400, "ConflictException", format, args...).with("Reason", "UNIQUENESS_CONSTRAINT_VIOLATION")
}

// page cuts one page out of all, which is in the order of serial. The token names the last item of the page before, so a
// list that changes in between skips and repeats nothing that stayed.
func page[T any](r *request, in *storeInput, all []T, serial func(T) int) (items []T, next string, err error) {
	size := 100
	if r.cloud.pageSize > 0 {
		size = r.cloud.pageSize
	}
	if in.MaxResults != nil {
		size = min(size, *in.MaxResults)
	}
	from := 0
	if in.NextToken != nil {
		raw, err := base64.StdEncoding.DecodeString(*in.NextToken)
		action, last, ok := strings.Cut(string(raw), " ")
		after, notNumber := strconv.Atoi(last)
		if err != nil || !ok || notNumber != nil || action != r.action {
			return nil, "", invalid("The pagination token is invalid")
		}
		for from < len(all) && serial(all[from]) <= after {
			from++
		}
	}
	to := min(from+size, len(all))
	if to < len(all) {
		next = base64.StdEncoding.EncodeToString([]byte(r.action + " " + strconv.Itoa(serial(all[to-1]))))
	}
	return append([]T{}, all[from:to]...), next, nil
}

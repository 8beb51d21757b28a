package awstest

import (
	"slices"
	"strings"
)

// answer is a JSON object.
type answer map[string]any

// paged adds the token of the next page when there is one.
func (a answer) paged(next string) answer {
	if next != "" {
		a["NextToken"] = next
	}
	return a
}

func listUsers(r *request, s *IdentityStore, in *storeInput) (any, error) {
	items, next, err := page(r, in, s.users, func(u *storedUser) int { return u.serial })
	return answer{"Users": items}.paged(next), err
}

func listGroups(r *request, s *IdentityStore, in *storeInput) (any, error) {
	items, next, err := page(r, in, s.groups, func(g *storedGroup) int { return g.serial })
	return answer{"Groups": items}.paged(next), err
}

func listGroupMemberships(r *request, s *IdentityStore, in *storeInput) (any, error) {
	id := bareID(*in.GroupId)
	if s.group(id) == nil {
		return nil, notFound("GROUP", id)
	}
	return membershipPage(r, s, in, func(m *storedMembership) bool { return m.GroupId == id })
}

func listMembershipsForMember(r *request, s *IdentityStore, in *storeInput) (any, error) {
	id := bareID(*in.MemberId.UserId)
	if s.user(id) == nil {
		return nil, notFound("USER", id)
	}
	return membershipPage(r, s, in, func(m *storedMembership) bool { return m.MemberId.UserId == id })
}

func membershipPage(r *request, s *IdentityStore, in *storeInput, keep func(*storedMembership) bool) (any, error) {
	kept := slices.DeleteFunc(slices.Clone(s.memberships), func(m *storedMembership) bool { return !keep(m) })
	items, next, err := page(r, in, kept, func(m *storedMembership) int { return m.serial })
	return answer{"GroupMemberships": items}.paged(next), err
}

func describeUser(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	if u := s.user(bareID(*in.UserId)); u != nil {
		return u, nil
	}
	return nil, notFound("USER", *in.UserId)
}

func describeGroup(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	if g := s.group(bareID(*in.GroupId)); g != nil {
		return g, nil
	}
	return nil, notFound("GROUP", *in.GroupId)
}

func describeMembership(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	if m := s.membership(bareID(*in.MembershipId)); m != nil {
		return m, nil
	}
	return nil, notFound("GROUP_MEMBERSHIP", *in.MembershipId)
}

// userBy finds a user by userName, emails.value or an external ID. ok is false for an attribute the API doesn't take.
// https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GetUserId.html
func (s *IdentityStore) userBy(in *storeInput) (user *storedUser, ok bool) {
	switch by := in.AlternateIdentifier; {
	case by == nil:
	case by.ExternalId != nil && by.UniqueAttribute == nil:
		return find(s.users, func(u *storedUser) bool { return slices.Contains(u.ExternalIds, *by.ExternalId) }), true
	case by.UniqueAttribute != nil && by.ExternalId == nil:
		value := by.UniqueAttribute.AttributeValue
		switch strings.ToLower(by.UniqueAttribute.AttributePath) {
		case "username":
			return s.userNamed(value), true
		case "emails.value":
			return find(s.users, func(u *storedUser) bool {
				return slices.ContainsFunc(u.Emails, func(e Email) bool { return strings.EqualFold(e.Value, value) })
			}), true
		}
	}
	return nil, false
}

// groupBy finds a group by displayName or an external ID.
// https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GetGroupId.html
func (s *IdentityStore) groupBy(in *storeInput) (group *storedGroup, ok bool) {
	switch by := in.AlternateIdentifier; {
	case by == nil:
	case by.ExternalId != nil && by.UniqueAttribute == nil:
		return find(s.groups, func(g *storedGroup) bool { return slices.Contains(g.ExternalIds, *by.ExternalId) }), true
	case by.UniqueAttribute != nil && by.ExternalId == nil && strings.EqualFold(by.UniqueAttribute.AttributePath, "displayName"):
		return s.groupNamed(by.UniqueAttribute.AttributeValue), true
	}
	return nil, false
}

func getUserID(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	u, ok := s.userBy(in)
	switch {
	case !ok:
		return nil, invalid("AlternateIdentifier must be an ExternalId or a UniqueAttribute userName or emails.value")
	case u == nil:
		return nil, notFound("USER", "")
	}
	return answer{"IdentityStoreId": s.id, "UserId": u.UserId, "UserArn": u.UserArn}, nil
}

func getGroupID(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	g, ok := s.groupBy(in)
	switch {
	case !ok:
		return nil, invalid("AlternateIdentifier must be an ExternalId or a UniqueAttribute displayName")
	case g == nil:
		return nil, notFound("GROUP", "")
	}
	return answer{"IdentityStoreId": s.id, "GroupId": g.GroupId, "GroupArn": g.GroupArn}, nil
}

func getMembershipID(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	m := s.membershipOf(bareID(*in.GroupId), bareID(*in.MemberId.UserId))
	if m == nil {
		return nil, notFound("GROUP_MEMBERSHIP", "")
	}
	return answer{"IdentityStoreId": s.id, "MembershipId": m.MembershipId, "MembershipArn": m.MembershipArn}, nil
}

func isMemberInGroups(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	user := bareID(*in.MemberId.UserId)
	if s.user(user) == nil {
		return nil, notFound("USER", user)
	}
	results := []answer{}
	for _, id := range in.GroupIds {
		id = bareID(id)
		if s.group(id) == nil {
			return nil, notFound("GROUP", id)
		}
		results = append(results, answer{
			"GroupId": id, "MemberId": memberID{user},
			"MembershipExists": s.membershipOf(id, user) != nil,
		})
	}
	return answer{"Results": results}, nil
}

// createUser adds a user; Identity Center wants the names and takes one address.
// https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_CreateUser.html
func createUser(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	switch {
	case *in.UserName == "" || len([]rune(*in.UserName)) > 128:
		return nil, invalid("%s", constraint("userName", *in.UserName, "have length between 1 and 128"))
	case reserved(*in.UserName):
		return nil, invalid("%s is a reserved name", *in.UserName)
	case in.Name.GivenName == "" || in.Name.FamilyName == "":
		return nil, invalid("Name must have a GivenName and a FamilyName")
	case len(in.Emails) > 1:
		return nil, invalid("%s", constraint("emails", "…", "have length less than or equal to 1"))
	case s.userNamed(*in.UserName) != nil:
		return nil, conflict("Duplicate UserName")
	}
	for _, e := range in.Emails {
		if u := find(s.users, func(u *storedUser) bool {
			return slices.ContainsFunc(u.Emails, func(have Email) bool { return strings.EqualFold(have.Value, e.Value) })
		}); u != nil {
			return nil, conflict("Duplicate Email")
		}
	}
	u := s.createUser(&storedUser{UserName: *in.UserName, DisplayName: *in.DisplayName, Name: in.Name, Emails: in.Emails})
	return answer{"IdentityStoreId": s.id, "UserId": u.UserId, "UserArn": u.UserArn, "Revision": u.Revision}, nil
}

func createGroup(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	switch {
	case *in.DisplayName == "" || len([]rune(*in.DisplayName)) > 1024:
		return nil, invalid("%s", constraint("displayName", *in.DisplayName, "have length between 1 and 1024"))
	case reserved(*in.DisplayName):
		return nil, invalid("%s is a reserved name", *in.DisplayName)
	case s.groupNamed(*in.DisplayName) != nil:
		return nil, conflict("Duplicate GroupDisplayName")
	}
	added := &storedGroup{DisplayName: *in.DisplayName}
	if in.Description != nil {
		added.Description = *in.Description
	}
	g := s.createGroup(added)
	return answer{"IdentityStoreId": s.id, "GroupId": g.GroupId, "GroupArn": g.GroupArn, "Revision": g.Revision}, nil
}

// reserved names are for neither users nor groups.
func reserved(name string) bool {
	return strings.EqualFold(name, "Administrator") || strings.EqualFold(name, "AWSAdministrators")
}

func createMembership(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	group, user := bareID(*in.GroupId), bareID(*in.MemberId.UserId)
	switch {
	case s.group(group) == nil:
		return nil, notFound("GROUP", group)
	case s.user(user) == nil:
		return nil, notFound("USER", user)
	case s.membershipOf(group, user) != nil:
		return nil, conflict("Member and Group relationship already exists.")
	}
	m := s.createMembership(group, user)
	return answer{"IdentityStoreId": s.id, "MembershipId": m.MembershipId, "MembershipArn": m.MembershipArn}, nil
}

func deleteUser(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	id := bareID(*in.UserId)
	if s.user(id) == nil {
		return nil, notFound("USER", id)
	}
	s.deleteUser(id)
	return answer{}, nil
}

func deleteGroup(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	id := bareID(*in.GroupId)
	if s.group(id) == nil {
		return nil, notFound("GROUP", id)
	}
	s.deleteGroup(id)
	return answer{}, nil
}

func deleteMembership(_ *request, s *IdentityStore, in *storeInput) (any, error) {
	id := bareID(*in.MembershipId)
	if s.membership(id) == nil {
		return nil, notFound("GROUP_MEMBERSHIP", id)
	}
	s.deleteMembership(id)
	return answer{}, nil
}

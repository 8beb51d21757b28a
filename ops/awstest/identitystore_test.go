package awstest_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

const nobody = "1234567890-00000000-0000-4000-8000-000000000000"

var here = aws.String(storeID)

func member(id string) types.MemberId { return &types.MemberIdMemberUserId{Value: id} }

func attribute(path, value string) types.AlternateIdentifier {
	return &types.AlternateIdentifierMemberUniqueAttribute{Value: types.UniqueAttribute{AttributePath: &path, AttributeValue: document.NewLazyDocument(value)}}
}

// people is a world with two users, two groups and one membership.
func people(t *testing.T, policy string) (*world, *awstest.IdentityStore) {
	w := newWorld(t, awstest.Options{}, policy)
	s := w.IdentityStore(storeID)
	s.AddUser("octocat@example.org")
	s.AddUser("hubot@example.org", awstest.Email{Value: "hubot@entra.example.org", Type: "EntraId"})
	s.AddGroup("platform")
	s.AddGroup("empty")
	s.AddMember("platform", "octocat@example.org")
	return w, s
}

func TestIdentityStoreReads(t *testing.T) {
	w, s := people(t, allowAll)
	c, ctx := w.store(), t.Context()
	octocat, hubot, platform, empty := s.UserID("octocat@example.org"), s.UserID("Hubot@example.org"), s.GroupID("platform"), s.GroupID("empty")
	membership := s.MembershipID("platform", "octocat@example.org")

	users, err := c.ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: here})
	if err != nil {
		t.Fatal(err)
	}
	u := users.Users[1]
	if *u.UserId != hubot || *u.UserName != "hubot@example.org" || *u.Emails[0].Value != "hubot@entra.example.org" ||
		*u.Emails[0].Type != "EntraId" || *u.Name.GivenName == "" || *u.UserArn != "arn:aws:identitystore:::user/"+hubot {
		t.Errorf("second user is %+v", u)
	}
	groups, err := c.ListGroups(ctx, &identitystore.ListGroupsInput{IdentityStoreId: here})
	if err != nil || len(groups.Groups) != 2 || *groups.Groups[0].GroupId != platform || *groups.Groups[0].DisplayName != "platform" {
		t.Errorf("groups: %+v, %v", groups, err)
	}
	inGroup, err := c.ListGroupMemberships(ctx, &identitystore.ListGroupMembershipsInput{IdentityStoreId: here, GroupId: &platform})
	if err != nil || len(inGroup.GroupMemberships) != 1 || *inGroup.GroupMemberships[0].MembershipId != membership {
		t.Errorf("memberships of platform: %+v, %v", inGroup, err)
	}
	if diff := cmp.Diff(octocat, inGroup.GroupMemberships[0].MemberId.(*types.MemberIdMemberUserId).Value); diff != "" {
		t.Error(diff)
	}
	ofMember, err := c.ListGroupMembershipsForMember(ctx, &identitystore.ListGroupMembershipsForMemberInput{IdentityStoreId: here, MemberId: member(octocat)})
	if err != nil || len(ofMember.GroupMemberships) != 1 || *ofMember.GroupMemberships[0].GroupId != platform {
		t.Errorf("memberships of octocat: %+v, %v", ofMember, err)
	}
	user, err := c.DescribeUser(ctx, &identitystore.DescribeUserInput{IdentityStoreId: here, UserId: aws.String("arn:aws:identitystore:::user/" + octocat)})
	if err != nil || *user.UserName != "octocat@example.org" {
		t.Errorf("octocat by ARN: %+v, %v", user, err)
	}
	group, err := c.DescribeGroup(ctx, &identitystore.DescribeGroupInput{IdentityStoreId: aws.String(storeARN), GroupId: &empty})
	if err != nil || *group.DisplayName != "empty" {
		t.Errorf("group empty: %+v, %v", group, err)
	}
	m, err := c.DescribeGroupMembership(ctx, &identitystore.DescribeGroupMembershipInput{IdentityStoreId: here, MembershipId: &membership})
	if err != nil || *m.GroupId != platform {
		t.Errorf("membership: %+v, %v", m, err)
	}
	for _, by := range []types.AlternateIdentifier{attribute("userName", "OctoCat@example.org"), attribute("emails.value", "octocat@example.org")} {
		if id, err := c.GetUserId(ctx, &identitystore.GetUserIdInput{IdentityStoreId: here, AlternateIdentifier: by}); err != nil || *id.UserId != octocat {
			t.Errorf("octocat by %+v: %v", by, err)
		}
	}
	if id, err := c.GetGroupId(ctx, &identitystore.GetGroupIdInput{IdentityStoreId: here, AlternateIdentifier: attribute("displayName", "platform")}); err != nil || *id.GroupId != platform {
		t.Errorf("platform by name: %v", err)
	}
	if id, err := c.GetGroupMembershipId(ctx, &identitystore.GetGroupMembershipIdInput{IdentityStoreId: here, GroupId: &platform, MemberId: member(octocat)}); err != nil || *id.MembershipId != membership {
		t.Errorf("membership ID: %v", err)
	}
	is, err := c.IsMemberInGroups(ctx, &identitystore.IsMemberInGroupsInput{IdentityStoreId: here, MemberId: member(octocat), GroupIds: []string{platform, empty}})
	if err != nil || !is.Results[0].MembershipExists || is.Results[1].MembershipExists {
		t.Errorf("is member: %+v, %v", is, err)
	}
	w.noProblems()
}

func TestIdentityStoreWrites(t *testing.T) {
	w, s := people(t, allowAll)
	c, ctx := w.store(), t.Context()
	name := aws.String("mona@example.org")
	newUser := &identitystore.CreateUserInput{
		IdentityStoreId: here, UserName: name, DisplayName: name,
		Name: &types.Name{GivenName: name, FamilyName: name}, Emails: []types.Email{{Value: name, Type: aws.String("work"), Primary: true}},
	}
	user, err := c.CreateUser(ctx, newUser)
	if err != nil {
		t.Fatal(err)
	}
	group, err := c.CreateGroup(ctx, &identitystore.CreateGroupInput{IdentityStoreId: here, DisplayName: aws.String("security")})
	if err != nil {
		t.Fatal(err)
	}
	newMember := &identitystore.CreateGroupMembershipInput{IdentityStoreId: here, GroupId: group.GroupId, MemberId: member(*user.UserId)}
	if _, err := c.CreateGroupMembership(ctx, newMember); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(awstest.Snapshot{
		Users:  []string{"hubot@example.org", "mona@example.org", "octocat@example.org"},
		Groups: []string{"empty", "platform", "security"},
		Member: map[string][]string{"platform": {"octocat@example.org"}, "security": {"mona@example.org"}},
	}, s.Snapshot()); diff != "" {
		t.Errorf("after creating (-want +got):\n%s", diff)
	}

	_, err = c.CreateUser(ctx, newUser)
	want(t, err, "ConflictException", "Duplicate UserName")
	_, err = c.CreateGroup(ctx, &identitystore.CreateGroupInput{IdentityStoreId: here, DisplayName: aws.String("Security")})
	want(t, err, "ConflictException", "Duplicate")
	_, err = c.CreateGroupMembership(ctx, newMember)
	want(t, err, "ConflictException", "already exists")
	if e, ok := errors.AsType[*types.ConflictException](err); !ok || e.Reason != types.ConflictExceptionReasonUniquenessConstraintViolation {
		t.Errorf("conflict is %#v", err)
	}

	id := s.MembershipID("security", "mona@example.org")
	if _, err := c.DeleteGroupMembership(ctx, &identitystore.DeleteGroupMembershipInput{IdentityStoreId: here, MembershipId: &id}); err != nil {
		t.Error(err)
	}
	if _, err := c.DeleteUser(ctx, &identitystore.DeleteUserInput{IdentityStoreId: here, UserId: aws.String(s.UserID("octocat@example.org"))}); err != nil {
		t.Error(err)
	}
	if _, err := c.DeleteGroup(ctx, &identitystore.DeleteGroupInput{IdentityStoreId: here, GroupId: group.GroupId}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(awstest.Snapshot{
		Users: []string{"hubot@example.org", "mona@example.org"}, Groups: []string{"empty", "platform"}, Member: map[string][]string{},
	}, s.Snapshot()); diff != "" {
		t.Errorf("after deleting (-want +got):\n%s", diff)
	}
	w.noProblems()
}

func TestIdentityStoreRefusals(t *testing.T) {
	w, s := people(t, allowAll)
	c, ctx := w.store(), t.Context()
	octocat, platform := s.UserID("octocat@example.org"), s.GroupID("platform")
	absent := aws.String(nobody)
	for name, test := range map[string]struct {
		call           func() error
		code, resource string
	}{
		"describe a user": {func() error {
			_, err := c.DescribeUser(ctx, &identitystore.DescribeUserInput{IdentityStoreId: here, UserId: absent})
			return err
		}, "ResourceNotFoundException", "USER"},
		"describe a group": {func() error {
			_, err := c.DescribeGroup(ctx, &identitystore.DescribeGroupInput{IdentityStoreId: here, GroupId: absent})
			return err
		}, "ResourceNotFoundException", "GROUP"},
		"describe a membership": {func() error {
			_, err := c.DescribeGroupMembership(ctx, &identitystore.DescribeGroupMembershipInput{IdentityStoreId: here, MembershipId: absent})
			return err
		}, "ResourceNotFoundException", "GROUP_MEMBERSHIP"},
		"memberships of no group": {func() error {
			_, err := c.ListGroupMemberships(ctx, &identitystore.ListGroupMembershipsInput{IdentityStoreId: here, GroupId: absent})
			return err
		}, "ResourceNotFoundException", "GROUP"},
		"memberships of no user": {func() error {
			_, err := c.ListGroupMembershipsForMember(ctx, &identitystore.ListGroupMembershipsForMemberInput{IdentityStoreId: here, MemberId: member(nobody)})
			return err
		}, "ResourceNotFoundException", "USER"},
		"user by unknown name": {func() error {
			_, err := c.GetUserId(ctx, &identitystore.GetUserIdInput{IdentityStoreId: here, AlternateIdentifier: attribute("userName", "x")})
			return err
		}, "ResourceNotFoundException", "USER"},
		"group by unknown name": {func() error {
			_, err := c.GetGroupId(ctx, &identitystore.GetGroupIdInput{IdentityStoreId: here, AlternateIdentifier: attribute("displayName", "x")})
			return err
		}, "ResourceNotFoundException", "GROUP"},
		"group by external ID": {func() error {
			_, err := c.GetGroupId(ctx, &identitystore.GetGroupIdInput{IdentityStoreId: here, AlternateIdentifier: &types.AlternateIdentifierMemberExternalId{
				Value: types.ExternalId{Id: aws.String("x"), Issuer: aws.String("y")},
			}})
			return err
		}, "ResourceNotFoundException", "GROUP"},
		"user by unknown attribute": {func() error {
			_, err := c.GetUserId(ctx, &identitystore.GetUserIdInput{IdentityStoreId: here, AlternateIdentifier: attribute("nickName", "x")})
			return err
		}, "ValidationException", ""},
		"no membership": {func() error {
			_, err := c.GetGroupMembershipId(ctx, &identitystore.GetGroupMembershipIdInput{IdentityStoreId: here, GroupId: &platform, MemberId: member(nobody)})
			return err
		}, "ResourceNotFoundException", "GROUP_MEMBERSHIP"},
		"is nobody a member": {func() error {
			_, err := c.IsMemberInGroups(ctx, &identitystore.IsMemberInGroupsInput{IdentityStoreId: here, GroupIds: []string{platform}, MemberId: member(nobody)})
			return err
		}, "ResourceNotFoundException", "USER"},
		"is a member of no group": {func() error {
			_, err := c.IsMemberInGroups(ctx, &identitystore.IsMemberInGroupsInput{IdentityStoreId: here, GroupIds: []string{nobody}, MemberId: member(octocat)})
			return err
		}, "ResourceNotFoundException", "GROUP"},
		"delete a user": {func() error {
			_, err := c.DeleteUser(ctx, &identitystore.DeleteUserInput{IdentityStoreId: here, UserId: absent})
			return err
		}, "ResourceNotFoundException", "USER"},
		"add nobody": {func() error {
			_, err := c.CreateGroupMembership(ctx, &identitystore.CreateGroupMembershipInput{IdentityStoreId: here, GroupId: &platform, MemberId: member(nobody)})
			return err
		}, "ResourceNotFoundException", "USER"},
		"another store": {func() error {
			_, err := c.ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: aws.String("d-0000000000")})
			return err
		}, "ResourceNotFoundException", "IDENTITY_STORE"},
		"another Region": {func() error {
			_, err := c.ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: here}, func(o *identitystore.Options) { o.Region = "us-east-1" })
			return err
		}, "ResourceNotFoundException", "IDENTITY_STORE"},
		"a name as ID": {func() error {
			_, err := c.DescribeUser(ctx, &identitystore.DescribeUserInput{IdentityStoreId: here, UserId: aws.String("octocat")})
			return err
		}, "ValidationException", ""},
		"a store's name as ID": {func() error {
			_, err := c.ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: aws.String("store")})
			return err
		}, "ValidationException", ""},
		"101 results": {func() error {
			_, err := c.ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: here, MaxResults: aws.Int32(101)})
			return err
		}, "ValidationException", ""},
		"a token of its own making": {func() error {
			_, err := c.ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: here, NextToken: aws.String("x")})
			return err
		}, "ValidationException", ""},
		"a user without name": {func() error {
			_, err := c.CreateUser(ctx, &identitystore.CreateUserInput{IdentityStoreId: here, DisplayName: aws.String("x"), UserName: aws.String("x")})
			return err
		}, "ValidationException", ""},
		"a reserved name": {func() error {
			_, err := c.CreateGroup(ctx, &identitystore.CreateGroupInput{IdentityStoreId: here, DisplayName: aws.String("AWSAdministrators")})
			return err
		}, "ValidationException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.call()
			want(t, err, test.code, "")
			if e, ok := errors.AsType[*types.ResourceNotFoundException](err); ok && string(e.ResourceType) != test.resource {
				t.Errorf("resource type is %s, want %s", e.ResourceType, test.resource)
			}
		})
	}
	w.noProblems()
}

func TestListsArePaged(t *testing.T) {
	w := newWorld(t, awstest.Options{PageSize: 7}, allowAll)
	s := w.IdentityStore(storeID)
	s.AddGroup("all")
	var names []string
	for i := range 20 {
		name := fmt.Sprintf("user%02d@example.org", i)
		names = append(names, name)
		s.AddUser(name)
		s.AddMember("all", name)
	}
	var got []string
	p := identitystore.NewListUsersPaginator(w.store(), &identitystore.ListUsersInput{IdentityStoreId: here})
	for first := true; p.HasMorePages(); first = false {
		page, err := p.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Users) > 7 {
			t.Errorf("a page of %d", len(page.Users))
		}
		for _, u := range page.Users {
			got = append(got, *u.UserName)
		}
		if first {
			s.RemoveUser("user06@example.org")
			s.RemoveUser("user03@example.org")
		}
	}
	slices.Sort(got)
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("a list that changes skips nothing that stays (-want +got):\n%s", diff)
	}

	w.SetPageSize(0)
	memberships := identitystore.NewListGroupMembershipsPaginator(w.store(),
		&identitystore.ListGroupMembershipsInput{IdentityStoreId: here, GroupId: aws.String(s.GroupID("all")), MaxResults: aws.Int32(9)})
	sizes := []int{}
	for memberships.HasMorePages() {
		page, err := memberships.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page.GroupMemberships))
	}
	if diff := cmp.Diff([]int{9, 9}, sizes); diff != "" {
		t.Errorf("pages of memberships (-want +got):\n%s", diff)
	}
	if n := w.Count("identitystore:List*"); n != 5 {
		t.Errorf("%d list calls in the ledger, want 5", n)
	}
	w.noProblems()
}

func TestIdentityStoreActionsNeedEachOfTheirResources(t *testing.T) {
	w, s := people(t, "")
	octocat, platform := s.UserID("octocat@example.org"), s.GroupID("platform")
	membership := s.MembershipID("platform", "octocat@example.org")
	const user, group, members = "arn:aws:identitystore:::user/", "arn:aws:identitystore:::group/", "arn:aws:identitystore:::membership/"
	for _, test := range []struct {
		action string
		needs  []string
		call   func(*identitystore.Client) error
	}{
		{"ListUsers", []string{storeARN, user + "*"}, func(c *identitystore.Client) error {
			_, err := c.ListUsers(t.Context(), &identitystore.ListUsersInput{IdentityStoreId: here})
			return err
		}},
		{"ListGroups", []string{storeARN, group + "*"}, func(c *identitystore.Client) error {
			_, err := c.ListGroups(t.Context(), &identitystore.ListGroupsInput{IdentityStoreId: here})
			return err
		}},
		{"ListGroupMemberships", []string{storeARN, group + platform, members + "*"}, func(c *identitystore.Client) error {
			_, err := c.ListGroupMemberships(t.Context(), &identitystore.ListGroupMembershipsInput{IdentityStoreId: here, GroupId: &platform})
			return err
		}},
		{"ListGroupMembershipsForMember", []string{storeARN, user + octocat, members + "*"}, func(c *identitystore.Client) error {
			_, err := c.ListGroupMembershipsForMember(t.Context(), &identitystore.ListGroupMembershipsForMemberInput{IdentityStoreId: here, MemberId: member(octocat)})
			return err
		}},
		{"IsMemberInGroups", []string{storeARN, group + platform, user + octocat, members + "*"}, func(c *identitystore.Client) error {
			_, err := c.IsMemberInGroups(t.Context(), &identitystore.IsMemberInGroupsInput{IdentityStoreId: here, GroupIds: []string{platform}, MemberId: member(octocat)})
			return err
		}},
		{"DescribeUser", []string{storeARN, user + octocat}, func(c *identitystore.Client) error {
			_, err := c.DescribeUser(t.Context(), &identitystore.DescribeUserInput{IdentityStoreId: here, UserId: &octocat})
			return err
		}},
		{"DescribeGroup", []string{storeARN, group + platform}, func(c *identitystore.Client) error {
			_, err := c.DescribeGroup(t.Context(), &identitystore.DescribeGroupInput{IdentityStoreId: here, GroupId: &platform})
			return err
		}},
		{"DescribeGroupMembership", []string{storeARN, group + platform, members + membership, user + octocat}, func(c *identitystore.Client) error {
			_, err := c.DescribeGroupMembership(t.Context(), &identitystore.DescribeGroupMembershipInput{IdentityStoreId: here, MembershipId: &membership})
			return err
		}},
		{"GetUserId", []string{storeARN, user + octocat}, func(c *identitystore.Client) error {
			_, err := c.GetUserId(t.Context(), &identitystore.GetUserIdInput{IdentityStoreId: here, AlternateIdentifier: attribute("userName", "octocat@example.org")})
			return err
		}},
		{"GetGroupId", []string{storeARN, group + platform}, func(c *identitystore.Client) error {
			_, err := c.GetGroupId(t.Context(), &identitystore.GetGroupIdInput{IdentityStoreId: here, AlternateIdentifier: attribute("displayName", "platform")})
			return err
		}},
		{"GetGroupMembershipId", []string{storeARN, group + platform, user + octocat, members + membership}, func(c *identitystore.Client) error {
			_, err := c.GetGroupMembershipId(t.Context(), &identitystore.GetGroupMembershipIdInput{IdentityStoreId: here, GroupId: &platform, MemberId: member(octocat)})
			return err
		}},
		{"CreateGroupMembership", []string{storeARN, group + platform, user + octocat}, func(c *identitystore.Client) error {
			_, err := c.CreateGroupMembership(t.Context(), &identitystore.CreateGroupMembershipInput{IdentityStoreId: here, GroupId: &platform, MemberId: member(octocat)})
			return err
		}},
	} {
		t.Run(test.action, func(t *testing.T) {
			grant := func(resources []string) *identitystore.Client {
				w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: allow("identitystore:"+test.action, "", resources...)})
				return w.store()
			}
			if err := test.call(grant(test.needs)); err != nil && code(err) != "ConflictException" {
				t.Errorf("with all of %v: %v", test.needs, err)
			}
			for i, missing := range test.needs {
				rest := slices.Concat(test.needs[:i], test.needs[i+1:])
				want(t, test.call(grant(rest)), "AccessDeniedException", "on resource: "+missing+" because")
			}
		})
	}
	w.noProblems()
}

func TestWhatSomebodyElseChanges(t *testing.T) {
	w, s := people(t, allowAll)
	s.AddMember("empty", "octocat@example.org", "octocat@example.org", "hubot@example.org")
	s.RemoveMember("platform", "octocat@example.org")
	s.RemoveMember("platform", "octocat@example.org")
	s.RemoveGroup("platform")
	s.RemoveGroup("nothing")
	s.RemoveUser("hubot@example.org")
	s.RemoveUser("nobody")
	same(t, s, awstest.Snapshot{
		Users: []string{"octocat@example.org"}, Groups: []string{"empty"},
		Member: map[string][]string{"empty": {"octocat@example.org"}},
	})
	w.noProblems()
	s.AddUser("Octocat@example.org")
	s.AddGroup("empty")
	s.AddMember("empty", "nobody")
	if p := w.Problems(); len(p) != 3 {
		t.Errorf("problems: %q", p)
	}
}

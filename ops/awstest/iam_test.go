package awstest_test

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

const (
	leaver   = "x@digital.cabinet-office.gov.uk"
	boundary = "arn:aws:iam::111111111111:policy/limits/boundary"
	custom   = "arn:aws:iam::111111111111:policy/custom"
	readOnly = "arn:aws:iam::aws:policy/ReadOnlyAccess"
	inline   = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Resource":"*"}}`

	virtualMFA = "arn:aws:iam::111111111111:mfa/" + leaver
	fido       = "arn:aws:iam::111111111111:u2f/user/x/yubikey-ABCDEF"
	hardware   = "GAHT12345678"
)

var day = time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC)

// everythingOf is a user with at least one of all there is.
func everythingOf(name string) awstest.IAMUser {
	return awstest.IAMUser{
		Name: name, Path: "/people/", Created: day, PasswordLastUsed: day.AddDate(0, 1, 0),
		Tags: map[string]string{"team": "platform", "Owner": "me"}, Boundary: boundary,
		Login: &awstest.LoginProfile{ResetRequired: true},
		AccessKeys: []awstest.AccessKey{
			{ID: "AKIAAAAAAAAAAAAAAAAA", LastUsed: day.AddDate(0, 2, 0), Service: "s3", Region: "eu-west-2"},
			{ID: "AKIABBBBBBBBBBBBBBBB", Inactive: true},
		},
		SSHKeys:      []awstest.SSHKey{{}},
		Certificates: []awstest.Certificate{{Inactive: true}},
		Credentials:  []awstest.ServiceCredential{{}, {Service: "cassandra.amazonaws.com", Inactive: true}},
		MFA:          []awstest.MFADevice{{Serial: "arn:aws:iam::111111111111:mfa/" + name}, {Serial: fido}, {Serial: hardware}},
		Inline:       map[string]string{"own": inline, "more": inline},
		Attached:     []string{readOnly, custom},
		Groups:       []string{"CrossAccountAccess", "/teams/platform"},
	}
}

func (w *world) iamClient() *iam.Client { return iam.NewFromConfig(w.session()) }

// bare is a user without anything.
func bare(name string) awstest.IAMUser { return awstest.IAMUser{Name: name} }

func TestEverythingAboutAUserIsRead(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	a := w.IAM("")
	a.SetAlias("gds-users")
	a.AddUser(bare("someone@example.org"))
	described := a.AddUser(everythingOf(leaver))
	c, ctx := w.iamClient(), t.Context()

	user, err := c.GetUser(ctx, &iam.GetUserInput{UserName: aws.String(leaver)})
	check(t, err)
	if u := user.User; *u.Arn != "arn:aws:iam::111111111111:user/people/"+leaver || *u.Path != "/people/" || *u.UserId != described.ID ||
		!u.CreateDate.Equal(day) || !u.PasswordLastUsed.Equal(day.AddDate(0, 1, 0)) || *u.PermissionsBoundary.PermissionsBoundaryArn != boundary ||
		*u.Tags[0].Key != "Owner" || *u.Tags[1].Value != "platform" {
		t.Errorf("user is %+v", u)
	}
	other, err := c.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("SomeOne@example.org")})
	check(t, err)
	if u := other.User; *u.UserName != "someone@example.org" || u.PasswordLastUsed != nil || u.PermissionsBoundary != nil || len(u.Tags) != 0 {
		t.Errorf("the other user is %+v", u)
	}
	users, err := c.ListUsers(ctx, &iam.ListUsersInput{PathPrefix: aws.String("/people/")})
	check(t, err)
	if len(users.Users) != 1 || *users.Users[0].UserName != leaver || users.Users[0].Tags != nil || users.Users[0].PermissionsBoundary != nil {
		t.Errorf("users under /people/ are %+v", users.Users)
	}
	login, err := c.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: aws.String(leaver)})
	check(t, err)
	if !login.LoginProfile.PasswordResetRequired || !login.LoginProfile.CreateDate.Equal(day) {
		t.Errorf("login profile is %+v", login.LoginProfile)
	}
	used, err := c.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: aws.String("AKIAAAAAAAAAAAAAAAAA")})
	check(t, err)
	if l := used.AccessKeyLastUsed; *used.UserName != leaver || !l.LastUsedDate.Equal(day.AddDate(0, 2, 0)) || *l.ServiceName != "s3" || *l.Region != "eu-west-2" {
		t.Errorf("key was last used %+v", l)
	}
	never, err := c.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: aws.String("AKIABBBBBBBBBBBBBBBB")})
	check(t, err)
	if l := never.AccessKeyLastUsed; l.LastUsedDate != nil || *l.ServiceName != "N/A" || *l.Region != "N/A" {
		t.Errorf("unused key was last used %+v", l)
	}
	document, err := c.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: aws.String(leaver), PolicyName: aws.String("own")})
	check(t, err)
	if text, err := url.PathUnescape(*document.PolicyDocument); err != nil || text != inline || *document.PolicyDocument == inline {
		t.Errorf("inline policy is %s", *document.PolicyDocument)
	}
	key, err := c.GetMFADevice(ctx, &iam.GetMFADeviceInput{UserName: aws.String(leaver), SerialNumber: aws.String(fido)})
	check(t, err)
	if *key.SerialNumber != fido || *key.UserName != leaver || !key.EnableDate.Equal(day) {
		t.Errorf("FIDO device is %+v", key)
	}
	attached, err := c.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: aws.String(leaver)})
	check(t, err)
	if p := attached.AttachedPolicies[1]; *p.PolicyArn != readOnly || *p.PolicyName != "ReadOnlyAccess" {
		t.Errorf("attached policy is %s %s", *p.PolicyArn, *p.PolicyName)
	}
	groups, err := c.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: aws.String(leaver)})
	check(t, err)
	if g := groups.Groups[1]; *g.Arn != "arn:aws:iam::111111111111:group/teams/platform" || *g.GroupName != "platform" || *g.Path != "/teams/" {
		t.Errorf("group is %+v", g)
	}
	aliases, err := c.ListAccountAliases(ctx, nil)
	check(t, err)
	if !slices.Equal(aliases.AccountAliases, []string{"gds-users"}) {
		t.Errorf("aliases are %v", aliases.AccountAliases)
	}
	roles, err := c.ListRoles(ctx, nil)
	check(t, err)
	if len(roles.Roles) != 1 || *roles.Roles[0].Arn != roleARN || *roles.Roles[0].Path != "/" || *roles.Roles[0].MaxSessionDuration != 3600 {
		t.Errorf("roles are %+v", roles.Roles)
	}
	w.noProblems()
}

// lists are all lists of one user, by action, as IDs, each read with the SDK's paginator where it has one.
func lists(ctx context.Context, c *iam.Client, name string, size int32) (map[string][]string, error) {
	all := map[string][]string{}
	user, max := &name, aws.Int32(size)
	for action, read := range map[string]func() ([]string, error){
		"ListUserTags": func() ([]string, error) {
			return gather(ctx, iam.NewListUserTagsPaginator(c, &iam.ListUserTagsInput{UserName: user, MaxItems: max}),
				func(p *iam.ListUserTagsOutput) []types.Tag { return p.Tags }, func(t types.Tag) *string { return t.Key })
		},
		"ListAccessKeys": func() ([]string, error) {
			return gather(ctx, iam.NewListAccessKeysPaginator(c, &iam.ListAccessKeysInput{UserName: user, MaxItems: max}),
				func(p *iam.ListAccessKeysOutput) []types.AccessKeyMetadata { return p.AccessKeyMetadata },
				func(k types.AccessKeyMetadata) *string { return aws.String(*k.AccessKeyId + " " + string(k.Status)) })
		},
		"ListSSHPublicKeys": func() ([]string, error) {
			return gather(ctx, iam.NewListSSHPublicKeysPaginator(c, &iam.ListSSHPublicKeysInput{UserName: user, MaxItems: max}),
				func(p *iam.ListSSHPublicKeysOutput) []types.SSHPublicKeyMetadata { return p.SSHPublicKeys },
				func(k types.SSHPublicKeyMetadata) *string {
					return aws.String(*k.SSHPublicKeyId + " " + string(k.Status))
				})
		},
		"ListSigningCertificates": func() ([]string, error) {
			return gather(ctx, iam.NewListSigningCertificatesPaginator(c, &iam.ListSigningCertificatesInput{UserName: user, MaxItems: max}),
				func(p *iam.ListSigningCertificatesOutput) []types.SigningCertificate { return p.Certificates },
				func(k types.SigningCertificate) *string { return aws.String(*k.CertificateId + " " + string(k.Status)) })
		},
		"ListMFADevices": func() ([]string, error) {
			return gather(ctx, iam.NewListMFADevicesPaginator(c, &iam.ListMFADevicesInput{UserName: user, MaxItems: max}),
				func(p *iam.ListMFADevicesOutput) []types.MFADevice { return p.MFADevices },
				func(d types.MFADevice) *string { return d.SerialNumber })
		},
		"ListVirtualMFADevices": func() ([]string, error) {
			return gather(ctx, iam.NewListVirtualMFADevicesPaginator(c, &iam.ListVirtualMFADevicesInput{MaxItems: max}),
				func(p *iam.ListVirtualMFADevicesOutput) []types.VirtualMFADevice { return p.VirtualMFADevices },
				func(d types.VirtualMFADevice) *string { return d.SerialNumber })
		},
		"ListUserPolicies": func() ([]string, error) {
			return gather(ctx, iam.NewListUserPoliciesPaginator(c, &iam.ListUserPoliciesInput{UserName: user, MaxItems: max}),
				func(p *iam.ListUserPoliciesOutput) []string { return p.PolicyNames }, func(s string) *string { return &s })
		},
		"ListAttachedUserPolicies": func() ([]string, error) {
			return gather(ctx, iam.NewListAttachedUserPoliciesPaginator(c, &iam.ListAttachedUserPoliciesInput{UserName: user, MaxItems: max}),
				func(p *iam.ListAttachedUserPoliciesOutput) []types.AttachedPolicy { return p.AttachedPolicies },
				func(p types.AttachedPolicy) *string { return p.PolicyArn })
		},
		"ListGroupsForUser": func() ([]string, error) {
			return gather(ctx, iam.NewListGroupsForUserPaginator(c, &iam.ListGroupsForUserInput{UserName: user, MaxItems: max}),
				func(p *iam.ListGroupsForUserOutput) []types.Group { return p.Groups },
				func(g types.Group) *string { return g.GroupName })
		},
		"ListServiceSpecificCredentials": func() ([]string, error) {
			return credentialsOf(ctx, c, iam.ListServiceSpecificCredentialsInput{UserName: user, MaxItems: max})
		},
	} {
		items, err := read()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", action, err)
		}
		all[action] = items
	}
	return all, nil
}

type pages[Page any] interface {
	HasMorePages() bool
	NextPage(context.Context, ...func(*iam.Options)) (Page, error)
}

func gather[Page, T any](ctx context.Context, p pages[Page], items func(Page) []T, id func(T) *string) ([]string, error) {
	var all []string
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, item := range items(page) {
			all = append(all, *id(item))
		}
	}
	return all, nil
}

// credentialsOf follows the markers by hand: the SDK has no paginator for these.
func credentialsOf(ctx context.Context, c *iam.Client, in iam.ListServiceSpecificCredentialsInput) ([]string, error) {
	var all []string
	for {
		out, err := c.ListServiceSpecificCredentials(ctx, &in)
		if err != nil {
			return nil, err
		}
		for _, k := range out.ServiceSpecificCredentials {
			all = append(all, *k.UserName+" "+*k.ServiceName+" "+string(k.Status))
		}
		if !out.IsTruncated {
			slices.Sort(all)
			return all, nil
		}
		in.Marker = out.Marker
	}
}

func TestListsOfAUserArePaged(t *testing.T) {
	for _, test := range []struct {
		name     string
		pageSize int
		max      int32
		calls    int // in all
	}{
		{"in one page", 0, 100, 10},
		{"as small as MaxItems asks for", 0, 1, 18},
		{"as small as the Cloud's pages", 1, 100, 18},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{PageSize: test.pageSize}, allowAll)
			u := w.IAM("").AddUser(everythingOf(leaver))
			got, err := lists(t.Context(), w.iamClient(), leaver, test.max)
			check(t, err)
			want := map[string][]string{
				"ListUserTags":             {"Owner", "team"},
				"ListAccessKeys":           {"AKIAAAAAAAAAAAAAAAAA Active", "AKIABBBBBBBBBBBBBBBB Inactive"},
				"ListSSHPublicKeys":        {u.SSHKeys[0].ID + " Active"},
				"ListSigningCertificates":  {u.Certificates[0].ID + " Inactive"},
				"ListMFADevices":           {hardware, virtualMFA, fido},
				"ListVirtualMFADevices":    {virtualMFA},
				"ListUserPolicies":         {"more", "own"},
				"ListAttachedUserPolicies": {custom, readOnly},
				"ListGroupsForUser":        {"CrossAccountAccess", "platform"},
				"ListServiceSpecificCredentials": {
					leaver + " cassandra.amazonaws.com Inactive",
					leaver + " codecommit.amazonaws.com Active",
				},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("lists (-want +got):\n%s", diff)
			}
			if n := w.Count("iam:List*"); n != test.calls {
				t.Errorf("%d list calls, want %d", n, test.calls)
			}
			w.noProblems()
		})
	}
}

func TestUsersArePagedWhileTheyChange(t *testing.T) {
	w := newWorld(t, awstest.Options{PageSize: 3}, allowAll)
	var want []string
	for n := range 8 {
		want = append(want, w.IAM("").AddUser(bare(fmt.Sprintf("user%d", n))).Name)
	}
	c := w.iamClient()
	first, err := c.ListUsers(t.Context(), &iam.ListUsersInput{})
	check(t, err)
	if !first.IsTruncated || len(first.Users) != 3 {
		t.Fatalf("first page is %+v", first)
	}
	w.IAM("").DeleteUser("user0")
	w.IAM("").DeleteUser("user2")
	second, err := c.ListUsers(t.Context(), &iam.ListUsersInput{Marker: first.Marker, MaxItems: aws.Int32(1000)})
	check(t, err)
	if *second.Users[0].UserName != "user3" || !second.IsTruncated {
		t.Errorf("second page begins with %s", *second.Users[0].UserName)
	}
	_, err = c.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: aws.String("user1"), Marker: first.Marker})
	wantError(t, err, "ValidationError", "Marker")
	if diff := cmp.Diff(append(want[1:2], want[3:]...), w.IAM("").Users()); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	w.noProblems()
}

// wantError is want under a name that a variable want doesn't hide.
func wantError(t *testing.T, err error, code, part string) {
	t.Helper()
	want(t, err, code, part)
}

func TestServiceSpecificCredentials(t *testing.T) {
	w := newWorld(t, awstest.Options{PageSize: 2}, allowAll)
	a := w.IAM("")
	a.AddUser(everythingOf(leaver))
	a.AddUser(awstest.IAMUser{Name: "y", Credentials: []awstest.ServiceCredential{{}, {Service: "bedrock.amazonaws.com"}}})
	mine := []string{leaver + " cassandra.amazonaws.com Inactive", leaver + " codecommit.amazonaws.com Active"}
	hers := []string{"y bedrock.amazonaws.com Active", "y codecommit.amazonaws.com Active"}
	for _, test := range []struct {
		name string
		in   iam.ListServiceSpecificCredentialsInput
		want []string
	}{
		{"of one user, all services", iam.ListServiceSpecificCredentialsInput{UserName: aws.String(leaver)}, mine},
		{"of one user, one service", iam.ListServiceSpecificCredentialsInput{UserName: aws.String(leaver), ServiceName: aws.String("cassandra.amazonaws.com")}, mine[:1]},
		{"of all users, all services", iam.ListServiceSpecificCredentialsInput{AllUsers: aws.Bool(true)}, slices.Concat(mine, hers)},
		{
			"of all users, one service",
			iam.ListServiceSpecificCredentialsInput{AllUsers: aws.Bool(true), ServiceName: aws.String("codecommit.amazonaws.com")},
			[]string{mine[1], hers[1]},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := credentialsOf(t.Context(), w.iamClient(), test.in)
			check(t, err)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("credentials (-want +got):\n%s", diff)
			}
		})
	}
	_, err := w.iamClient().ListServiceSpecificCredentials(t.Context(), &iam.ListServiceSpecificCredentialsInput{AllUsers: aws.Bool(true), UserName: aws.String("y")})
	want(t, err, "ValidationError", "cannot be specified together")
	w.noProblems()
}

func TestASessionMustNameTheUser(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	c, ctx := w.iamClient(), t.Context()
	const text = "Must specify userName when calling with non-User credentials"
	_, err := c.GetUser(ctx, &iam.GetUserInput{})
	want(t, err, "ValidationError", text)
	_, err = c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{})
	want(t, err, "ValidationError", text)
	_, err = c.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{AccessKeyId: aws.String("AKIAAAAAAAAAAAAAAAAA"), Status: "Inactive"})
	want(t, err, "ValidationError", text)
	_, err = c.ListServiceSpecificCredentials(ctx, &iam.ListServiceSpecificCredentialsInput{})
	want(t, err, "ValidationError", text)
	w.noProblems()
}

func TestParametersOfIAM(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.IAM("").AddUser(bare("x"))
	c, ctx := w.iamClient(), t.Context()
	for _, test := range []struct {
		name, user string
		max        int32
		part       string
	}{
		{"a space", "a b", 1, `Value 'a b' at 'userName'`},
		{"an apostrophe", "o'neill@example.org", 1, "userName"},
		{"a slash", "people/x", 1, "userName"},
		{"too long", strings.Repeat("a", 65), 1, "userName"},
		{"empty", "", 1, "userName"},
		{"no items", "x", 0, "maxItems"},
		{"too many items", "x", 1001, "maxItems"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &test.user, MaxItems: &test.max})
			want(t, err, "ValidationError", test.part)
		})
	}
	_, err := c.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: aws.String("x"), AccessKeyId: aws.String("AKIAAAAAAAAAAAAAAAAA"), Status: "Asleep"})
	want(t, err, "ValidationError", "enum value set: [Active, Inactive]")
	w.noProblems()

	_, err = c.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("y")})
	want(t, err, "InvalidAction", "CreateUser")
	_, err = c.CreateServiceSpecificCredential(ctx, &iam.CreateServiceSpecificCredentialInput{UserName: aws.String("y"), ServiceName: aws.String("s")})
	want(t, err, "InvalidAction", "")
	w.IAM("").AddUser(bare("X"))
	w.IAM("").AddUser(bare("o'neill"))
	w.IAM("").AddUser(awstest.IAMUser{Name: "z", Attached: []string{"ReadOnlyAccess"}})
	if p := w.Problems(); len(p) != 5 {
		t.Errorf("problems: %q", p)
	}
}

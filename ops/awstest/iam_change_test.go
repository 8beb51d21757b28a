package awstest_test

import (
	"fmt"
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

func TestQuarantineAndRestore(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	a := w.IAM("")
	before := a.AddUser(everythingOf(leaver))
	c, ctx, user := w.iamClient(), t.Context(), aws.String(leaver)
	if a.Powerless(leaver) || a.Powerless("nobody") {
		t.Error("powerless too early")
	}

	for range 2 {
		_, err := c.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: aws.String(awstest.AWSDenyAll)})
		check(t, err)
	}
	if a.Powerless(leaver) {
		t.Error("powerless with an active key")
	}
	_, err := c.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: &before.AccessKeys[0].ID, Status: "Inactive"})
	check(t, err)
	_, err = c.TagUser(ctx, &iam.TagUserInput{UserName: user, Tags: []types.Tag{
		{Key: aws.String("removal-request"), Value: aws.String("7f3a")}, {Key: aws.String("quarantined-at"), Value: aws.String("2026-01-01T00:00:00Z")},
	}})
	check(t, err)
	if !a.Powerless(leaver) {
		t.Error("not powerless")
	}
	quarantined, _ := a.User(leaver)
	if quarantined.Tags["removal-request"] != "7f3a" || quarantined.Tags["team"] != "platform" || !quarantined.AccessKeys[0].Inactive {
		t.Errorf("quarantined user is %+v", quarantined)
	}

	_, err = c.UntagUser(ctx, &iam.UntagUserInput{UserName: user, TagKeys: []string{"removal-request", "quarantined-at", "nothing"}})
	check(t, err)
	_, err = c.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: &before.AccessKeys[0].ID, Status: "Active"})
	check(t, err)
	_, err = c.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: user, PolicyArn: aws.String(awstest.AWSDenyAll)})
	check(t, err)
	_, err = c.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: user, PolicyArn: aws.String(awstest.AWSDenyAll)})
	want(t, err, "NoSuchEntity", "was not found")
	after, _ := a.User(leaver)
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("restored user (-before +after):\n%s", diff)
	}
	w.noProblems()
}

func TestEveryDependencyKeepsAUserFromBeingDeleted(t *testing.T) {
	for _, test := range []struct {
		name string
		user awstest.IAMUser
		part string // "" is no conflict
	}{
		{"nothing", awstest.IAMUser{}, ""},
		{"tags and a boundary", awstest.IAMUser{Tags: map[string]string{"a": "b"}, Boundary: boundary}, ""},
		{"a login profile", awstest.IAMUser{Login: &awstest.LoginProfile{}}, "must delete login profile first"},
		{"an inactive access key", awstest.IAMUser{AccessKeys: []awstest.AccessKey{{Inactive: true}}}, "must delete access keys first"},
		{"an SSH key", awstest.IAMUser{SSHKeys: []awstest.SSHKey{{}}}, "must remove referenced objects first"},
		{"a certificate", awstest.IAMUser{Certificates: []awstest.Certificate{{}}}, "must delete certificates first"},
		{"a service-specific credential", awstest.IAMUser{Credentials: []awstest.ServiceCredential{{}}}, "must remove referenced objects first"},
		{"a virtual MFA device", awstest.IAMUser{MFA: []awstest.MFADevice{{}}}, "must delete MFA device first"},
		{"a FIDO key", awstest.IAMUser{MFA: []awstest.MFADevice{{Serial: fido}}}, "must delete MFA device first"},
		{"a hardware MFA device", awstest.IAMUser{MFA: []awstest.MFADevice{{Serial: hardware}}}, "must delete MFA device first"},
		{"an inline policy", awstest.IAMUser{Inline: map[string]string{"own": inline}}, "must delete policies first"},
		{"an attached policy", awstest.IAMUser{Attached: []string{awstest.AWSDenyAll}}, "must detach all policies first"},
		{"a group", awstest.IAMUser{Groups: []string{"platform"}}, "must remove users from group first"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allowAll)
			test.user.Name = leaver
			before := w.IAM("").AddUser(test.user)
			_, err := w.iamClient().DeleteUser(t.Context(), &iam.DeleteUserInput{UserName: aws.String(leaver)})
			after, there := w.IAM("").User(leaver)
			if test.part == "" {
				check(t, err)
				if there {
					t.Error("the user is still there")
				}
			} else {
				want(t, err, "DeleteConflict", "Cannot delete entity, "+test.part+".")
				if diff := cmp.Diff(before, after); diff != "" {
					t.Errorf("a refused deletion changes nothing (-before +after):\n%s", diff)
				}
			}
			w.noProblems()
		})
	}
}

// deletions are the calls that take a user of everythingOf apart, in the order they are to be made.
func deletions(c *iam.Client, t *testing.T, u awstest.IAMUser) []func() error {
	ctx, user := t.Context(), &u.Name
	var all []func() error
	add := func(f func() error) { all = append(all, f) }
	add(func() error {
		_, err := c.DeleteLoginProfile(ctx, &iam.DeleteLoginProfileInput{UserName: user})
		return err
	})
	for _, k := range u.AccessKeys {
		add(func() error {
			_, err := c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: &k.ID})
			return err
		})
	}
	for _, k := range u.Credentials {
		add(func() error {
			_, err := c.DeleteServiceSpecificCredential(ctx, &iam.DeleteServiceSpecificCredentialInput{UserName: user, ServiceSpecificCredentialId: &k.ID})
			return err
		})
	}
	for _, k := range u.SSHKeys {
		add(func() error {
			_, err := c.DeleteSSHPublicKey(ctx, &iam.DeleteSSHPublicKeyInput{UserName: user, SSHPublicKeyId: &k.ID})
			return err
		})
	}
	for _, k := range u.Certificates {
		add(func() error {
			_, err := c.DeleteSigningCertificate(ctx, &iam.DeleteSigningCertificateInput{UserName: user, CertificateId: &k.ID})
			return err
		})
	}
	for _, d := range u.MFA {
		add(func() error {
			_, err := c.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceInput{UserName: user, SerialNumber: &d.Serial})
			return err
		})
		if strings.Contains(d.Serial, ":mfa/") {
			add(func() error {
				_, err := c.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceInput{SerialNumber: &d.Serial})
				return err
			})
		}
	}
	for name := range u.Inline {
		add(func() error {
			_, err := c.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: user, PolicyName: &name})
			return err
		})
	}
	for _, name := range u.Groups {
		add(func() error {
			_, err := c.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{UserName: user, GroupName: &name})
			return err
		})
	}
	for _, arn := range u.Attached {
		add(func() error {
			_, err := c.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: user, PolicyArn: &arn})
			return err
		})
	}
	add(func() error {
		_, err := c.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: user})
		return err
	})
	return all
}

func TestAUserIsTakenApart(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	a := w.IAM("")
	neighbour := a.AddUser(awstest.IAMUser{Name: "x@softwire.com", Groups: []string{"platform"}, MFA: []awstest.MFADevice{{}}})
	u := a.AddUser(everythingOf(leaver))
	c, ctx := w.iamClient(), t.Context()
	if diff := cmp.Diff([]string{leaver, "x@softwire.com"}, a.Members("platform")); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	all := deletions(c, t, u)
	for n, do := range all {
		if n < len(all)-1 { // the boundary alone keeps nobody
			_, err := c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String(leaver)})
			want(t, err, "DeleteConflict", "Cannot delete entity, must ")
		}
		check(t, do())
	}
	left, _ := a.User(leaver)
	if diff := cmp.Diff(awstest.IAMUser{Name: leaver, Path: u.Path, ID: u.ID, Created: u.Created, PasswordLastUsed: u.PasswordLastUsed, Tags: u.Tags}, left); diff != "" {
		t.Errorf("what is left (-want +got):\n%s", diff)
	}
	_, err := c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String(leaver)})
	check(t, err)
	_, err = c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String(leaver)})
	want(t, err, "NoSuchEntity", "The user with name "+leaver+" cannot be found.")
	if diff := cmp.Diff([]string{neighbour.MFA[0].Serial}, a.VirtualDevices()); diff != "" {
		t.Errorf("virtual devices (-want +got):\n%s", diff)
	}
	if after, _ := a.User("x@softwire.com"); !cmp.Equal(neighbour, after) {
		t.Errorf("the neighbour (-before +after):\n%s", cmp.Diff(neighbour, after))
	}
	w.noProblems()
}

func TestWhatIsNotThereIsNotDeleted(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	full := w.IAM("").AddUser(everythingOf("other"))
	w.IAM("").AddUser(bare(leaver))
	full.Name = leaver // other's things, asked of the leaver
	codes := map[string]int{}
	for _, do := range deletions(w.iamClient(), t, full) {
		codes[code(do())]++
	}
	// Leaving a group one isn't in and a boundary one doesn't have are no errors; the virtual device is other's.
	if diff := cmp.Diff(map[string]int{"NoSuchEntity": 14, "DeleteConflict": 1, "": 3}, codes); diff != "" {
		t.Errorf("codes (-want +got):\n%s", diff)
	}
	full.Name = "other"
	if after, _ := w.IAM("").User("other"); !cmp.Equal(full, after) {
		t.Errorf("other (-before +after):\n%s", cmp.Diff(full, after))
	}
	w.noProblems()
}

func TestVirtualMFADevices(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.IAM("").AddUser(everythingOf(leaver))
	c, ctx := w.iamClient(), t.Context()
	serial := aws.String(virtualMFA)
	count := func(status types.AssignmentStatusType) int {
		out, err := c.ListVirtualMFADevices(ctx, &iam.ListVirtualMFADevicesInput{AssignmentStatus: status})
		check(t, err)
		for _, d := range out.VirtualMFADevices {
			if (d.User != nil) != (d.EnableDate != nil) || d.User != nil && *d.User.UserName != leaver {
				t.Errorf("device is %+v", d)
			}
		}
		return len(out.VirtualMFADevices)
	}
	if a, u := count("Assigned"), count("Unassigned"); a != 1 || u != 0 {
		t.Errorf("%d assigned, %d unassigned", a, u)
	}
	_, err := c.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceInput{SerialNumber: serial})
	want(t, err, "DeleteConflict", "Must deactivate first")
	_, err = c.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceInput{UserName: aws.String(leaver), SerialNumber: serial})
	check(t, err)
	if a, u := count("Assigned"), count("Unassigned"); a != 0 || u != 1 || count("Any") != 1 {
		t.Errorf("%d assigned, %d unassigned", a, u)
	}
	_, err = c.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceInput{UserName: aws.String(leaver), SerialNumber: serial})
	want(t, err, "NoSuchEntity", "does not exist")
	_, err = c.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceInput{SerialNumber: serial})
	check(t, err)
	for _, s := range []string{virtualMFA, fido, hardware} {
		_, err = c.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceInput{SerialNumber: &s})
		want(t, err, "NoSuchEntity", s)
	}
	w.noProblems()
}

func TestWhatIsMade(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	a := w.IAM("")
	a.AddUser(bare("x"))
	a.AddGroup("/teams/platform")
	a.AddPolicy(custom)
	c, ctx, user := w.iamClient(), t.Context(), aws.String("x")
	for range 2 {
		_, err := c.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: user, GroupName: aws.String("platform")})
		check(t, err)
	}
	key, err := c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user})
	check(t, err)
	if k := key.AccessKey; k.Status != "Active" || len(*k.AccessKeyId) != 20 || *k.SecretAccessKey == "" || *k.UserName != "x" {
		t.Errorf("new key is %+v", k)
	}
	login := &iam.CreateLoginProfileInput{UserName: user, Password: aws.String("correct horse"), PasswordResetRequired: true}
	_, err = c.CreateLoginProfile(ctx, login)
	check(t, err)
	_, err = c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: user, PolicyName: aws.String("own"), PolicyDocument: aws.String(inline)})
	check(t, err)
	_, err = c.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: aws.String(custom)})
	check(t, err)
	_, err = c.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: user, PermissionsBoundary: aws.String(custom)})
	check(t, err)
	u, _ := a.User("x")
	if !u.Login.ResetRequired || len(u.AccessKeys) != 1 || u.AccessKeys[0].Inactive || u.Inline["own"] != inline ||
		!slices.Equal(u.Attached, []string{custom}) || !slices.Equal(u.Groups, []string{"platform"}) || u.Boundary != custom {
		t.Errorf("user is %+v", u)
	}

	_, err = c.CreateLoginProfile(ctx, login)
	want(t, err, "EntityAlreadyExists", "already exists")
	_, err = c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: user, PolicyName: aws.String("own"), PolicyDocument: aws.String("{")})
	want(t, err, "MalformedPolicyDocument", "")
	_, err = c.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: aws.String(custom + "-other")})
	want(t, err, "NoSuchEntity", "does not exist or is not attachable")
	_, err = c.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: user, GroupName: aws.String("nothing")})
	want(t, err, "NoSuchEntity", "The group with name nothing cannot be found.")
	w.noProblems()
}

func TestQuotasOfAUser(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	full := awstest.IAMUser{Name: "x", Tags: map[string]string{}, AccessKeys: make([]awstest.AccessKey, 2)}
	for n := range 50 {
		full.Tags[fmt.Sprintf("tag%d", n)] = ""
	}
	for n := range 10 {
		full.Attached = append(full.Attached, fmt.Sprintf("%s%d", custom, n))
		full.Groups = append(full.Groups, fmt.Sprintf("group%d", n))
	}
	w.IAM("").AddUser(full)
	w.IAM("").AddGroup("one-more")
	c, ctx, user := w.iamClient(), t.Context(), aws.String("x")
	_, err := c.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: aws.String(awstest.AWSDenyAll)})
	want(t, err, "LimitExceeded", "Cannot exceed quota for PoliciesPerUser: 10")
	_, err = c.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: user, GroupName: aws.String("one-more")})
	want(t, err, "LimitExceeded", "GroupsPerUser")
	_, err = c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user})
	want(t, err, "LimitExceeded", "AccessKeysPerUser")
	tagIt := func(key string) error {
		_, err := c.TagUser(ctx, &iam.TagUserInput{UserName: user, Tags: []types.Tag{{Key: &key, Value: aws.String("new")}}})
		return err
	}
	want(t, tagIt("one-more"), "LimitExceeded", "tags")
	want(t, tagIt("aws:mine"), "InvalidInput", "aws:")
	want(t, tagIt("a<b"), "InvalidInput", "")
	check(t, tagIt("TAG7"))
	if u, _ := w.IAM("").User("x"); len(u.Tags) != 50 || u.Tags["TAG7"] != "new" {
		t.Errorf("a tag's key has no case: %v", u.Tags)
	}
	w.noProblems()
}

func TestFaultsOfIAM(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.IAM("").AddUser(everythingOf(leaver))
	c := w.iamClient()
	for code, status := range map[string]int{"EntityTemporarilyUnmodifiable": 409, "ConcurrentModification": 409, "Throttling": 400, "ServiceFailure": 500} {
		w.Fail("iam:DeleteLoginProfile", awstest.Fault{Code: code, Times: 1})
		_, err := c.DeleteLoginProfile(t.Context(), &iam.DeleteLoginProfileInput{UserName: aws.String(leaver)})
		want(t, err, code, "")
		if got := httpStatus(err); got != status {
			t.Errorf("%s with status %d, want %d", code, got, status)
		}
	}
	_, err := c.GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("nobody")})
	if httpStatus(err) != 404 {
		t.Errorf("nobody: %v", err)
	}
	w.noProblems()
}

func TestChangesShowLate(t *testing.T) {
	now := time.Now()
	w := newWorld(t, awstest.Options{Now: func() time.Time { return now }}, allowAll)
	a := w.IAM("")
	before := a.AddUser(everythingOf(leaver))
	a.SetLag(time.Minute)
	c, ctx, user := w.iamClient(), t.Context(), aws.String(leaver)
	keys := func() int {
		out, err := c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: user})
		check(t, err)
		return len(out.AccessKeyMetadata)
	}
	remove := func(id string) error {
		_, err := c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: &id})
		return err
	}
	check(t, remove(before.AccessKeys[0].ID))
	now = now.Add(30 * time.Second)
	check(t, remove(before.AccessKeys[1].ID))
	if n := keys(); n != 2 {
		t.Errorf("after half a minute %d keys show, want 2", n)
	}
	want(t, remove(before.AccessKeys[1].ID), "NoSuchEntity", "")
	now = now.Add(30 * time.Second)
	if n := keys(); n != 1 {
		t.Errorf("after a minute %d keys show, want 1", n)
	}
	now = now.Add(30 * time.Second)
	if n := keys(); n != 0 {
		t.Errorf("in the end %d keys show, want 0", n)
	}
	a.DeleteUser(leaver)
	if n := keys(); n != 0 {
		t.Errorf("the user is not seen to be gone yet, but has %d keys", n)
	}
	a.SetLag(0)
	_, err := c.GetUser(ctx, &iam.GetUserInput{UserName: user})
	want(t, err, "NoSuchEntity", "")
	w.noProblems()
}

// A user who is renamed keeps the ID and all that hangs on it; the old name is free.
func TestRenameUser(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	a := w.IAM("")
	want := a.AddUser(everythingOf(leaver))
	want.Name = "jo.married@example.org"
	a.RenameUser(leaver, want.Name)
	if is, _ := a.User(want.Name); !cmp.Equal(want, is) {
		t.Errorf("-want +is:\n%s", cmp.Diff(want, is))
	}
	if _, err := w.iamClient().GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String(leaver)}); err == nil {
		t.Error("the old name is there still")
	}
	defer func() {
		if recover() == nil {
			t.Error("a user who isn't there was renamed")
		}
	}()
	a.RenameUser(leaver, "someone@example.org")
}

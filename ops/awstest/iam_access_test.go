package awstest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"github.com/aws-root-account/rootbot/ops/awstest"
)

func httpStatus(err error) int {
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return e.HTTPStatusCode()
	}
	return 0
}

// iamCalls is one call of each action, about the leaver where it is about a user.
func iamCalls(t *testing.T) map[string]func(*iam.Client) error {
	ctx, user, key := t.Context(), aws.String(leaver), aws.String("AKIAAAAAAAAAAAAAAAAA")
	group, policy := aws.String("platform"), aws.String(readOnly)
	return map[string]func(*iam.Client) error{
		"GetUser":            func(c *iam.Client) error { _, err := c.GetUser(ctx, &iam.GetUserInput{UserName: user}); return err },
		"ListUsers":          func(c *iam.Client) error { _, err := c.ListUsers(ctx, nil); return err },
		"ListAccountAliases": func(c *iam.Client) error { _, err := c.ListAccountAliases(ctx, nil); return err },
		"ListRoles":          func(c *iam.Client) error { _, err := c.ListRoles(ctx, nil); return err },
		"ListUserTags": func(c *iam.Client) error {
			_, err := c.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: user})
			return err
		},
		"ListAccessKeys": func(c *iam.Client) error {
			_, err := c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: user})
			return err
		},
		"GetLoginProfile": func(c *iam.Client) error {
			_, err := c.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: user})
			return err
		},
		"ListMFADevices": func(c *iam.Client) error {
			_, err := c.ListMFADevices(ctx, &iam.ListMFADevicesInput{UserName: user})
			return err
		},
		"ListSSHPublicKeys": func(c *iam.Client) error {
			_, err := c.ListSSHPublicKeys(ctx, &iam.ListSSHPublicKeysInput{UserName: user})
			return err
		},
		"ListUserPolicies": func(c *iam.Client) error {
			_, err := c.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: user})
			return err
		},
		"ListGroupsForUser": func(c *iam.Client) error {
			_, err := c.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: user})
			return err
		},
		"DeleteLoginProfile": func(c *iam.Client) error {
			_, err := c.DeleteLoginProfile(ctx, &iam.DeleteLoginProfileInput{UserName: user})
			return err
		},
		"DeleteUser": func(c *iam.Client) error {
			_, err := c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: user})
			return err
		},
		"CreateAccessKey": func(c *iam.Client) error {
			_, err := c.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: user})
			return err
		},
		"ListSigningCertificates": func(c *iam.Client) error {
			_, err := c.ListSigningCertificates(ctx, &iam.ListSigningCertificatesInput{UserName: user})
			return err
		},
		"ListServiceSpecificCredentials": func(c *iam.Client) error {
			_, err := c.ListServiceSpecificCredentials(ctx, &iam.ListServiceSpecificCredentialsInput{UserName: user})
			return err
		},
		"ListAttachedUserPolicies": func(c *iam.Client) error {
			_, err := c.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: user})
			return err
		},
		"GetUserPolicy": func(c *iam.Client) error {
			_, err := c.GetUserPolicy(ctx, &iam.GetUserPolicyInput{UserName: user, PolicyName: aws.String("own")})
			return err
		},
		"GetAccessKeyLastUsed": func(c *iam.Client) error {
			_, err := c.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: key})
			return err
		},
		"UpdateAccessKey": func(c *iam.Client) error {
			_, err := c.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{UserName: user, AccessKeyId: key, Status: "Inactive"})
			return err
		},
		"DeleteAccessKey": func(c *iam.Client) error {
			_, err := c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: key})
			return err
		},
		"ListVirtualMFADevices": func(c *iam.Client) error { _, err := c.ListVirtualMFADevices(ctx, nil); return err },
		"DeactivateMFADevice": func(c *iam.Client) error {
			_, err := c.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceInput{UserName: user, SerialNumber: aws.String(fido)})
			return err
		},
		"DeleteVirtualMFADevice": func(c *iam.Client) error {
			_, err := c.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceInput{SerialNumber: aws.String(virtualMFA)})
			return err
		},
		"AttachUserPolicy": func(c *iam.Client) error {
			_, err := c.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: policy})
			return err
		},
		"DetachUserPolicy": func(c *iam.Client) error {
			_, err := c.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: user, PolicyArn: policy})
			return err
		},
		"AddUserToGroup": func(c *iam.Client) error {
			_, err := c.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: user, GroupName: group})
			return err
		},
		"RemoveUserFromGroup": func(c *iam.Client) error {
			_, err := c.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{UserName: user, GroupName: group})
			return err
		},
		"TagUser": func(c *iam.Client) error {
			_, err := c.TagUser(ctx, &iam.TagUserInput{UserName: user, Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}})
			return err
		},
		"DeleteSSHPublicKey": func(c *iam.Client) error {
			_, err := c.DeleteSSHPublicKey(ctx, &iam.DeleteSSHPublicKeyInput{UserName: user, SSHPublicKeyId: aws.String("APKAAAAAAAAAAAAAAAAAA")})
			return err
		},
		"DeleteSigningCertificate": func(c *iam.Client) error {
			_, err := c.DeleteSigningCertificate(ctx, &iam.DeleteSigningCertificateInput{UserName: user, CertificateId: aws.String("CERTIFICATEAAAAAAAAAAAAA")})
			return err
		},
		"DeleteServiceSpecificCredential": func(c *iam.Client) error {
			_, err := c.DeleteServiceSpecificCredential(ctx, &iam.DeleteServiceSpecificCredentialInput{UserName: user, ServiceSpecificCredentialId: aws.String("ACCAAAAAAAAAAAAAAAAAA")})
			return err
		},
		"GetMFADevice": func(c *iam.Client) error {
			_, err := c.GetMFADevice(ctx, &iam.GetMFADeviceInput{UserName: user, SerialNumber: aws.String(fido)})
			return err
		},
		"CreateLoginProfile": func(c *iam.Client) error {
			_, err := c.CreateLoginProfile(ctx, &iam.CreateLoginProfileInput{UserName: user, Password: aws.String("correct horse")})
			return err
		},
		"PutUserPolicy": func(c *iam.Client) error {
			_, err := c.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: user, PolicyName: aws.String("own"), PolicyDocument: aws.String(inline)})
			return err
		},
		"DeleteUserPolicy": func(c *iam.Client) error {
			_, err := c.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: user, PolicyName: aws.String("own")})
			return err
		},
		"PutUserPermissionsBoundary": func(c *iam.Client) error {
			_, err := c.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: user, PermissionsBoundary: policy})
			return err
		},
		"DeleteUserPermissionsBoundary": func(c *iam.Client) error {
			_, err := c.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: user})
			return err
		},
		"UntagUser": func(c *iam.Client) error {
			_, err := c.UntagUser(ctx, &iam.UntagUserInput{UserName: user, TagKeys: []string{"a"}})
			return err
		},
	}
}

func TestIAMActionsNeedTheirResource(t *testing.T) {
	resources := map[string]string{
		"ListUsers": "*", "ListAccountAliases": "*", "ListRoles": "*", "ListVirtualMFADevices": "*",
		"AddUserToGroup":         "arn:aws:iam::111111111111:group/teams/platform",
		"RemoveUserFromGroup":    "arn:aws:iam::111111111111:group/teams/platform",
		"DeleteVirtualMFADevice": virtualMFA,
	}
	for action, do := range iamCalls(t) {
		t.Run(action, func(t *testing.T) {
			resource, ok := resources[action]
			if !ok {
				resource = "arn:aws:iam::111111111111:user/people/" + leaver
			}
			w := newWorld(t, awstest.Options{}, allow("iam:"+action, "", resource))
			w.IAM("").AddUser(everythingOf(leaver))
			c := w.iamClient()
			stopped := []string{"", "DeleteConflict", "LimitExceeded", "EntityAlreadyExists", "NoSuchEntity"} // by IAM, not by a policy
			if err := do(c); !slices.Contains(stopped, code(err)) {
				t.Errorf("allowed on %s: %v", resource, err)
			}
			for _, other := range []string{
				allow("iam:"+action, "", "arn:aws:iam::111111111111:user/people/x", "arn:aws:iam::111111111111:group/x", "arn:aws:iam::111111111111:mfa/x"),
				allow("iam:GetGroup", "", "*"),
			} {
				w.AddRole(awstest.Role{ARN: roleARN, Trust: trustAll, Policy: other})
				err := do(w.iamClient())
				want(t, err, "AccessDenied", "is not authorized to perform: iam:"+action+" on resource: "+resource+" because")
				if httpStatus(err) != 403 {
					t.Errorf("refused with status %d", httpStatus(err))
				}
			}
			w.noProblems()
		})
	}
}

func TestConditionsOfIAM(t *testing.T) {
	denyAll := `"ArnEquals":{"iam:PolicyARN":"` + awstest.AWSDenyAll + `"}`
	tags := func(keys ...string) string {
		return `"ForAllValues:StringEquals":{"aws:TagKeys":["` + strings.Join(keys, `","`) + `"]}`
	}
	attach := func(arn string) func(*iam.Client) error {
		return func(c *iam.Client) error {
			_, err := c.AttachUserPolicy(t.Context(), &iam.AttachUserPolicyInput{UserName: aws.String(leaver), PolicyArn: &arn})
			return err
		}
	}
	bound := func(arn string) func(*iam.Client) error {
		return func(c *iam.Client) error {
			_, err := c.PutUserPermissionsBoundary(t.Context(), &iam.PutUserPermissionsBoundaryInput{UserName: aws.String(leaver), PermissionsBoundary: &arn})
			return err
		}
	}
	bounds := func(arn string) string { return `"ArnEquals":{"iam:PermissionsBoundary":"` + arn + `"}` }
	calls := iamCalls(t)
	for _, test := range []struct {
		name, action, condition string
		do                      func(*iam.Client) error
		allowed                 bool
	}{
		{"attach the policy that is named", "AttachUserPolicy", denyAll, attach(awstest.AWSDenyAll), true},
		{"attach another one", "AttachUserPolicy", denyAll, attach(readOnly), false},
		{"detach another one", "DetachUserPolicy", denyAll, calls["DetachUserPolicy"], false},
		{"set a tag that is named", "TagUser", tags("a", "b"), calls["TagUser"], true},
		{"set another tag", "TagUser", tags("b"), calls["TagUser"], false},
		{"set a tag to a value", "TagUser", `"StringEquals":{"aws:RequestTag/a":"b"}`, calls["TagUser"], true},
		{"set a tag to another value", "TagUser", `"StringEquals":{"aws:RequestTag/a":"c"}`, calls["TagUser"], false},
		{"take a tag away that is named", "UntagUser", tags("a"), calls["UntagUser"], true},
		{"take another tag away", "UntagUser", tags("b"), calls["UntagUser"], false},
		{"a user with a tag", "DeleteLoginProfile", `"StringEquals":{"aws:ResourceTag/team":"platform"}`, calls["DeleteLoginProfile"], true},
		{"a user without a tag", "DeleteLoginProfile", `"StringLike":{"iam:ResourceTag/removal-request":"*"}`, calls["DeleteLoginProfile"], false},
		{"a user's boundary", "DetachUserPolicy", `"StringEquals":{"iam:PermissionsBoundary":"` + boundary + `"}`, calls["DetachUserPolicy"], true},
		{"set the boundary that is named", "PutUserPermissionsBoundary", bounds(awstest.AWSDenyAll), bound(awstest.AWSDenyAll), true},
		{"set another boundary", "PutUserPermissionsBoundary", bounds(awstest.AWSDenyAll), bound(boundary), false},
		{"take away the boundary that is named", "DeleteUserPermissionsBoundary", bounds(boundary), calls["DeleteUserPermissionsBoundary"], true},
		{"take away another boundary", "DeleteUserPermissionsBoundary", bounds(awstest.AWSDenyAll), calls["DeleteUserPermissionsBoundary"], false},
		{"the Region is always the same", "GetUser", `"StringEquals":{"aws:RequestedRegion":"us-east-1"}`, calls["GetUser"], true},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allow("iam:"+test.action, `"Condition":{`+test.condition+`},`, "arn:aws:iam::111111111111:user/*"))
			w.IAM("").AddUser(everythingOf(leaver))
			err := test.do(w.iamClient())
			if test.allowed {
				check(t, err)
			} else {
				want(t, err, "AccessDenied", "no identity-based policy allows the iam:"+test.action+" action")
			}
			w.noProblems()
		})
	}
}

// A boundary that denies everything takes all power away as well.
func TestPowerless(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	for _, test := range []struct {
		name string
		user awstest.IAMUser
		want bool
	}{
		{"with deny-all attached", awstest.IAMUser{Attached: []string{awstest.AWSDenyAll}}, true},
		{"with deny-all as boundary", awstest.IAMUser{Boundary: awstest.AWSDenyAll, Attached: []string{readOnly}}, true},
		{"with another boundary", awstest.IAMUser{Boundary: boundary}, false},
		{"with an active key", awstest.IAMUser{Boundary: awstest.AWSDenyAll, AccessKeys: make([]awstest.AccessKey, 1)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.user.Name = "x"
			w.IAM("").DeleteUser("x")
			w.IAM("").AddUser(test.user)
			if got := w.IAM("").Powerless("x"); got != test.want {
				t.Errorf("powerless %v", got)
			}
		})
	}
}

func TestEachAccountHasItsOwnUsers(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	w.IAM("222222222222").AddUser(everythingOf(leaver))
	_, err := w.iamClient().GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String(leaver)})
	want(t, err, "NoSuchEntity", "")
	if got := w.IAM("222222222222").Users(); !slices.Equal(got, []string{leaver}) || len(w.IAM("").Users()) != 0 {
		t.Errorf("users are %v and %v", got, w.IAM("").Users())
	}
	w.noProblems()
}

func TestTerraformRemovesWhatItKnows(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*awstest.IAMUser)
		part   string
	}{
		{"everything but policies", func(u *awstest.IAMUser) { u.Attached, u.Inline = nil, nil }, ""},
		{"an attached policy stops it", func(u *awstest.IAMUser) { u.Attached, u.Inline = []string{awstest.AWSDenyAll}, nil }, "must detach all policies first"},
		{"an inline policy stops it", func(u *awstest.IAMUser) { u.Attached = nil }, "must delete policies first"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, awstest.Options{}, allowAll)
			a := w.IAM("")
			a.AddUser(everythingOf(leaver))
			a.ChangeUser(leaver, test.change)
			err := a.RemoveUser(leaver)
			left, there := a.User(leaver)
			if test.part == "" {
				check(t, err)
			} else if err == nil || !strings.Contains(err.Error(), test.part) {
				t.Errorf("got %v, want %s", err, test.part)
			}
			if there != (test.part != "") || left.AccessKeys != nil || left.MFA != nil || len(a.VirtualDevices()) != 0 {
				t.Errorf("left is %+v", left)
			}
			check(t, a.RemoveUser("nobody"))
			w.noProblems()
		})
	}
}

func TestAKeyIsMadeBetweenListingAndDeletion(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	a := w.IAM("")
	a.AddUser(awstest.IAMUser{Name: leaver, AccessKeys: []awstest.AccessKey{{ID: "AKIAAAAAAAAAAAAAAAAA"}}})
	var seen []awstest.Call
	w.OnCall("iam:DeleteAccessKey", func(call awstest.Call) {
		seen = append(seen, call)
		a.ChangeUser(leaver, func(u *awstest.IAMUser) {
			u.AccessKeys = append(u.AccessKeys, awstest.AccessKey{ID: "AKIACCCCCCCCCCCCCCCC"})
		})
	})
	c := w.iamClient()
	check(t, iamCalls(t)["DeleteAccessKey"](c))
	want(t, iamCalls(t)["DeleteUser"](c), "DeleteConflict", "must delete access keys first")
	u, _ := a.User(leaver)
	if diff := cmp.Diff([]awstest.AccessKey{{ID: "AKIACCCCCCCCCCCCCCCC", Created: u.Created}}, u.AccessKeys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if len(seen) != 1 || string(seen[0].Params) != `{"AccessKeyId":"AKIAAAAAAAAAAAAAAAAA","UserName":"`+leaver+`"}` {
		t.Errorf("the hook saw %+v", seen)
	}
	a.ChangeUser("nobody", func(*awstest.IAMUser) {})
	if p := w.Problems(); len(p) != 1 {
		t.Errorf("problems: %q", p)
	}
}

func TestNobodyIsNotFound(t *testing.T) {
	w := newWorld(t, awstest.Options{}, allowAll)
	c := w.iamClient()
	for action, do := range iamCalls(t) {
		err := do(c)
		if slices.Contains([]string{"ListUsers", "ListAccountAliases", "ListRoles", "ListVirtualMFADevices"}, action) {
			check(t, err)
		} else if want(t, err, "NoSuchEntity", ""); httpStatus(err) != 404 {
			t.Errorf("%s: status %d, want 404", action, httpStatus(err))
		}
	}
	w.noProblems()
}

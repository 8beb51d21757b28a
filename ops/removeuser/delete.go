package removeuser

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// rounds is how often all is listed again when IAM finds something that still
// hangs on the user.
const rounds = 5

// delete deletes the user and all that hangs on it. Each round looks first, so
// it may be called again at any time.
func (o *operation) delete(ctx context.Context, run ops.Run) error {
	r := run.Request()
	name := userOf(r)
	look, err := o.reader(r)
	if err != nil {
		return err
	}
	act, err := o.writer(r, "DenyAllAndUndo", "Delete", "DeleteElsewhere")
	if err != nil {
		return err
	}
	for range rounds {
		user, err := readUser(ctx, look, name)
		if err != nil {
			return awsaccess.Explain(err, o.settings.LookRole)
		}
		if user == nil {
			return run.Log(ctx, ops.Line{Key: "deleted", Level: ops.Change, Text: "IAM user " + name + " is gone."})
		}
		if err := o.empty(ctx, run, act, user); err != nil {
			return err
		}
		_, err = act.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String(name)})
		if _, conflict := errors.AsType[*types.DeleteConflictException](err); conflict {
			// Something was added meanwhile. It must have no power while we look.
			if _, err := act.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String(name), PolicyArn: aws.String(denyAll)}); err != nil {
				return awsaccess.Explain(fmt.Errorf("attach %s to %s: %w", denyAll, name, err), o.settings.ActRole)
			}
			continue
		}
		if err != nil && !isGone(err) {
			return awsaccess.Explain(fmt.Errorf("delete %s: %w", name, err), o.settings.ActRole)
		}
		return run.Log(ctx, ops.Line{Key: "deleted", Level: ops.Change, Text: fmt.Sprintf("Deleted IAM user %s (%s).", name, user.ID)})
	}
	var left []string
	if user, err := readUser(ctx, look, name); err == nil && user != nil {
		left = user.left()
	}
	if len(left) == 0 {
		left = []string{"something that IAM doesn't list"}
	}
	return &ops.Error{
		Kind: ops.Unavailable, What: fmt.Sprintf("IAM refused to delete %s %d times, because of what still hangs on it: %s. It is still there, with deny-all attached.", name, rounds, strings.Join(left, ", ")),
		Next: "Look at the user in the console, then run it again.",
	}
}

// empty takes from a user all that hangs on it. It must be the user that was
// shown: the same name made anew is another one.
func (o *operation) empty(ctx context.Context, run ops.Run, act *iam.Client, user *User) error {
	d, err := kept(run)
	if err != nil {
		return err
	}
	if d.User == nil {
		return &ops.Error{Kind: ops.Refused, What: fmt.Sprintf("There was no IAM user %s when this was planned, and there is one now (%s). It was left alone.", user.Name, user.ID)}
	}
	if err := d.is(user.Name, user.ID); err != nil {
		return err
	}
	steps := strip(user)
	if d.User != nil {
		// A virtual device that an earlier try has taken from the user, and no more, is on no list.
		for _, serial := range d.User.MFA {
			if isVirtual(serial) && !slices.Contains(user.MFA, serial) {
				steps = append([]removal{deleteDevice(serial)}, steps...)
			}
		}
	}
	for _, step := range steps {
		err := step.do(ctx, act)
		if isGone(err) {
			continue // nothing hangs there any more
		}
		if _, conflict := errors.AsType[*types.DeleteConflictException](err); conflict {
			continue // somebody else's device by now
		}
		if err != nil {
			return awsaccess.Explain(fmt.Errorf("%s: %w", step.effect, err), o.settings.ActRole)
		}
		if err := run.Log(ctx, ops.Line{Key: step.effect, Level: ops.Change, Text: step.done() + "."}); err != nil {
			return err
		}
	}
	return nil
}

// removal is one call that takes something from a user.
type removal struct {
	effect string // as a plan shows it: "Delete access key AKIA…"
	do     func(context.Context, *iam.Client) error
}

// done is the effect as a log tells it.
func (r removal) done() string {
	verb, rest, _ := strings.Cut(r.effect, " ")
	return map[string]string{"Delete": "Deleted", "Deactivate": "Deactivated", "Remove": "Removed", "Detach": "Detached"}[verb] + " " + rest
}

func isVirtual(serial string) bool { return strings.Contains(serial, ":mfa/") }

func deleteDevice(serial string) removal {
	return removal{"Delete virtual MFA device " + serial, func(ctx context.Context, c *iam.Client) error {
		_, err := c.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceInput{SerialNumber: aws.String(serial)})
		return err
	}}
}

// strip is all calls that empty a user, credential power first and deny-all
// last. A plan shows them before the quarantine, so deny-all is always among them.
func strip(u *User) []removal {
	var all []removal
	name := aws.String(u.Name)
	add := func(effect string, do func(context.Context, *iam.Client) error) {
		all = append(all, removal{effect, do})
	}
	if u.Login {
		add("Delete the password of "+u.Name, func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeleteLoginProfile(ctx, &iam.DeleteLoginProfileInput{UserName: name})
			return err
		})
	}
	for _, k := range u.Keys {
		add("Delete access key "+k.ID, func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: name, AccessKeyId: aws.String(k.ID)})
			return err
		})
	}
	for _, s := range u.Credentials {
		add("Delete service-specific credential "+s.ID+" ("+s.Service+")", func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeleteServiceSpecificCredential(ctx, &iam.DeleteServiceSpecificCredentialInput{UserName: name, ServiceSpecificCredentialId: aws.String(s.ID)})
			return err
		})
	}
	for _, id := range u.SSHKeys {
		add("Delete SSH public key "+id, func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeleteSSHPublicKey(ctx, &iam.DeleteSSHPublicKeyInput{UserName: name, SSHPublicKeyId: aws.String(id)})
			return err
		})
	}
	for _, id := range u.Certificates {
		add("Delete signing certificate "+id, func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeleteSigningCertificate(ctx, &iam.DeleteSigningCertificateInput{UserName: name, CertificateId: aws.String(id)})
			return err
		})
	}
	for _, serial := range u.MFA {
		add("Deactivate MFA device "+serial, func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceInput{UserName: name, SerialNumber: aws.String(serial)})
			return err
		})
		// Only a virtual device is a thing of its own that stays behind.
		if isVirtual(serial) {
			all = append(all, deleteDevice(serial))
		}
	}
	for _, policy := range u.Inline {
		add("Delete inline policy "+policy, func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: name, PolicyName: aws.String(policy)})
			return err
		})
	}
	for _, group := range u.Groups {
		add("Remove "+u.Name+" from group "+group, func(ctx context.Context, c *iam.Client) error {
			_, err := c.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{UserName: name, GroupName: aws.String(group)})
			return err
		})
	}
	detach := func(arn string) {
		add("Detach policy "+arn, func(ctx context.Context, c *iam.Client) error {
			_, err := c.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: name, PolicyArn: aws.String(arn)})
			return err
		})
	}
	for _, policy := range u.Attached {
		if policy != denyAll {
			detach(policy)
		}
	}
	if u.Boundary != "" {
		add("Delete permissions boundary "+u.Boundary, func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: name})
			return err
		})
	}
	detach(denyAll)
	return all
}

// check reads back whether the user is gone, and keeps what it had.
func (o *operation) check(ctx context.Context, run ops.Run) error {
	name := userOf(run.Request())
	look, err := o.reader(run.Request())
	if err != nil {
		return err
	}
	user, err := readUser(ctx, look, name)
	if err != nil {
		return awsaccess.Explain(err, o.settings.LookRole)
	}
	d, err := kept(run)
	if err != nil {
		return err
	}
	if user != nil && (run.Begun().IsZero() || run.Now().Before(run.Begun().Add(settle))) {
		return ops.Again(5 * time.Second) // IAM may show it a little longer
	}
	if user == nil {
		report := ops.Report{
			Summary:  name + " is removed.",
			Sections: []ops.Section{{Title: name, Outcomes: []ops.Outcome{{Text: "IAM user is gone", State: ops.Confirmed}}}},
			Notes:    []string{"This can't be undone: a new user of the same name is another one to every trust policy. What it had is in the record, so that a like one can be made."},
		}
		if d.User != nil {
			report.Sections = append(report.Sections, had(d.User))
		}
		return run.Report(ctx, report)
	}
	left := append([]string{"the user itself (" + user.ID + ")"}, user.left()...)
	return run.Report(ctx, ops.Report{
		Summary:  name + " is not removed; it is in quarantine.",
		Problems: []string{"Still in IAM: " + strings.Join(left, ", ") + "."},
	})
}

// had is what a user had, without secrets.
func had(u *User) ops.Section {
	s := ops.Section{Title: "What " + u.Name + " had"}
	add := func(label string, values []string) {
		if len(values) > 0 {
			s.Outcomes = append(s.Outcomes, ops.Outcome{Text: label + ": " + strings.Join(values, ", ")})
		}
	}
	add("groups", u.Groups)
	add("attached policies", u.Attached)
	add("inline policies", u.Inline)
	if u.Boundary != "" {
		add("permissions boundary", []string{u.Boundary})
	}
	var tags []string
	for key, value := range u.Tags {
		if !isOurs(key) {
			tags = append(tags, key+"="+value)
		}
	}
	slices.Sort(tags)
	add("tags", tags)
	return s
}

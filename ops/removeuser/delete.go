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
	d, err := kept(run)
	if err != nil {
		return err
	}
	look, err := o.reader(r)
	if err != nil {
		return err
	}
	act, err := o.writer(r, "", "DenyAllAndUndo", "Delete")
	if err != nil {
		return err
	}
	for range rounds {
		user, err := readUser(ctx, look, name)
		if err != nil {
			return awsaccess.Explain(err, o.settings.LookRole)
		}
		if err := o.notRenamed(ctx, run, d, user); err != nil {
			return err
		}
		if user == nil {
			return run.Log(ctx, ops.Line{Key: "deleted", Level: ops.Change, Text: "IAM user " + name + " is gone."})
		}
		was, err := o.takeApart(ctx, run, act, user)
		if err != nil {
			return err
		}
		_, err = act.DeleteUser(ctx, &iam.DeleteUserInput{UserName: aws.String(name)})
		if _, conflict := errors.AsType[*types.DeleteConflictException](err); conflict {
			// Something was added meanwhile. It must have no power while we look.
			if err := o.denyAgain(ctx, run, act, user, &was); err != nil {
				return err
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

// denyAgain attaches deny-all to a user from whom this run has taken it off already.
func (o *operation) denyAgain(ctx context.Context, run ops.Run, act *iam.Client, user *User, was *before) error {
	if user.Boundary == denyAll {
		return nil // it stays there until the user is gone
	}
	if _, err := act.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String(user.Name), PolicyArn: aws.String(denyAll)}); err != nil {
		return awsaccess.Explain(fmt.Errorf("attach %s to %s: %w", denyAll, user.Name, err), o.settings.ActRole)
	}
	was.Bare = false
	return was.remember(ctx, run)
}

// takeApart takes from a user all that hangs on it, as far as people were shown it,
// if the user is still in the quarantine of this request.
func (o *operation) takeApart(ctx context.Context, run ops.Run, act *iam.Client, user *User) (before, error) {
	d, err := kept(run)
	if err != nil {
		return before{}, err
	}
	was, _, err := recall(ctx, run)
	if err != nil {
		return was, err
	}
	if err := o.holds(ctx, run, d, &was, user); err != nil {
		return was, err
	}
	shown := run.Plan().Effects()
	steps := strip(user)
	if unseen := beyond(steps, shown); len(unseen) > 0 {
		return was, o.askAbout(ctx, run, act, user, &was, unseen)
	}
	// A virtual device that an earlier try has taken from the user, and no more, is on no list.
	for _, serial := range d.User.MFA {
		if left := deleteDevice(serial); isVirtual(serial) && !slices.Contains(user.MFA, serial) && slices.Contains(shown, left.effect) {
			steps = append([]removal{left}, steps...)
		}
	}
	if !was.Removing {
		was.Removing = true
		if err := was.remember(ctx, run); err != nil {
			return was, err
		}
	}
	for _, r := range steps {
		if err := o.takeOff(ctx, run, act, user, &was, r); err != nil {
			return was, err
		}
	}
	return was, nil
}

func beyond(steps []removal, shown []string) []string {
	var unseen []string
	for _, r := range steps {
		if !slices.Contains(shown, r.effect) {
			unseen = append(unseen, r.effect)
		}
	}
	return unseen
}

// askAbout has people asked about what hangs on the user and was in no plan, and
// comes back later: the desk makes the plan again. Until then the user has no power.
func (o *operation) askAbout(ctx context.Context, run ops.Run, act *iam.Client, user *User, was *before, unseen []string) error {
	if !user.denied() {
		if err := o.denyAgain(ctx, run, act, user, was); err != nil {
			return err
		}
	}
	list := strings.Join(unseen, "; ")
	text := fmt.Sprintf("%s has something that wasn't there when the removal was approved, so it would need: %s. That is done only once it has been shown and approved.", user.Name, list)
	if err := run.Log(ctx, ops.Line{Key: "unseen " + list, Level: ops.Warning, Text: text}); err != nil {
		return err
	}
	if err := run.MayAct(ctx); err != nil {
		return err
	}
	return ops.Again(time.Minute)
}

// takeOff does one removal, and tells of it.
func (o *operation) takeOff(ctx context.Context, run ops.Run, act *iam.Client, user *User, was *before, r removal) error {
	if r.deny {
		if !user.attached(denyAll) {
			return nil
		}
		was.Bare = true
		if err := was.remember(ctx, run); err != nil {
			return err
		}
	}
	if r.group != "" || r.serial != "" {
		var err error
		if act, err = o.elsewhere(run.Request(), r.group, r.serial); err != nil {
			return err
		}
	}
	err := r.do(ctx, act)
	if r.deny && wasRefused(err) {
		was.Bare = isGone(err)
		err = errors.Join(err, was.remember(ctx, run))
	}
	if isGone(err) {
		return nil // nothing hangs there any more
	}
	if _, conflict := errors.AsType[*types.DeleteConflictException](err); conflict {
		return nil // somebody else's device by now
	}
	if err != nil {
		return awsaccess.Explain(fmt.Errorf("%s: %w", r.effect, err), o.settings.ActRole)
	}
	return run.Log(ctx, ops.Line{Key: r.effect, Level: ops.Change, Text: r.done() + "."})
}

// removal is one call that takes something from a user.
type removal struct {
	effect string // as a plan shows it: "Delete access key AKIA…"
	do     func(context.Context, *iam.Client) error
	deny   bool // it takes deny-all off

	group, serial string // of what it is about beside the user; empty: nothing
}

// done is the effect as a log tells it.
func (r removal) done() string {
	verb, rest, _ := strings.Cut(r.effect, " ")
	return map[string]string{"Delete": "Deleted", "Deactivate": "Deactivated", "Remove": "Removed", "Detach": "Detached"}[verb] + " " + rest
}

func isVirtual(serial string) bool { return strings.Contains(serial, ":mfa/") }

func deleteDevice(serial string) removal {
	return removal{effect: "Delete virtual MFA device " + serial, serial: serial, do: func(ctx context.Context, c *iam.Client) error {
		_, err := c.DeleteVirtualMFADevice(ctx, &iam.DeleteVirtualMFADeviceInput{SerialNumber: aws.String(serial)})
		return err
	}}
}

// strip is all calls that empty a user, credential power first and deny-all
// last. A plan shows them before the quarantine, so deny-all is among them, but
// where it is the permissions boundary, or has to be: that stays until the user is
// gone, for IAM deletes users who have one.
func strip(u *User) []removal { return append(stripCredentials(u), stripRights(u)...) }

func stripCredentials(u *User) []removal {
	var all []removal
	name := aws.String(u.Name)
	add := func(effect string, do func(context.Context, *iam.Client) error) {
		all = append(all, removal{effect: effect, do: do})
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
	return all
}

func stripRights(u *User) []removal {
	var all []removal
	name := aws.String(u.Name)
	add := func(effect string, do func(context.Context, *iam.Client) error) {
		all = append(all, removal{effect: effect, do: do})
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
		all[len(all)-1].group = group
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
	if !u.attached(denyAll) && (u.full() || u.Boundary == denyAll) {
		return all
	}
	if u.Boundary != "" {
		add("Delete permissions boundary "+u.Boundary, func(ctx context.Context, c *iam.Client) error {
			_, err := c.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: name})
			return err
		})
	}
	detach(denyAll)
	all[len(all)-1].deny = true
	return all
}

package removeuser

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"
	"golang.org/x/sync/errgroup"
)

// User is an IAM user with all that hangs on it, no secrets among it. It is kept
// with the plan, so that a like one can be made.
type User struct {
	Name         string            `json:"name"`
	ID           string            `json:"id"` // AIDA…
	ARN          string            `json:"arn"`
	Created      time.Time         `json:"created"`
	PasswordUsed time.Time         `json:"password_used,omitzero"` // zero: never, or no password
	Login        bool              `json:"login,omitempty"`        // has a password
	Keys         []Key             `json:"keys,omitempty"`
	MFA          []string          `json:"mfa,omitempty"` // serial numbers
	Groups       []string          `json:"groups,omitempty"`
	Inline       []string          `json:"inline,omitempty"`   // names of inline policies
	Attached     []string          `json:"attached,omitempty"` // ARNs of attached policies
	Boundary     string            `json:"boundary,omitempty"` // ARN
	SSHKeys      []string          `json:"ssh_keys,omitempty"`
	Certificates []string          `json:"certificates,omitempty"`
	Credentials  []Credential      `json:"credentials,omitempty"` // service-specific
	Tags         map[string]string `json:"tags,omitempty"`
}

// Key is an access key.
type Key struct {
	ID      string    `json:"id"` // AKIA…
	Active  bool      `json:"active"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"` // zero: never
	Service string    `json:"service,omitempty"`
	Region  string    `json:"region,omitempty"`
}

// Credential is a service-specific credential.
type Credential struct {
	ID      string `json:"id"`
	Service string `json:"service"`
}

const denyAll = "arn:aws:iam::aws:policy/AWSDenyAll"

// mostAttached is how many managed policies IAM attaches to a user, unless AWS has
// raised an account's quota.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const mostAttached = 10

// denied tells whether deny-all takes all power from the user: attached or, just
// as well, as permissions boundary, for what a boundary denies nothing allows.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html
func (u *User) denied() bool { return u.attached(denyAll) || u.Boundary == denyAll }

// full tells whether IAM attaches no policy more.
func (u *User) full() bool { return !u.attached(denyAll) && len(u.Attached) >= mostAttached }

func (u *User) attached(policy string) bool { return slices.Contains(u.Attached, policy) }

// accountOf is the account's ID.
func accountOf(u *User) string {
	a, _ := arn.Parse(u.ARN)
	return a.AccountID
}

// code is AWS's code of an error; empty where AWS gave none. It tells more than the
// SDK's types: not every call that can answer a code has it in the SDK's model.
func code(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		return api.ErrorCode()
	}
	return ""
}

func isGone(err error) bool   { return code(err) == "NoSuchEntity" }
func isFull(err error) bool   { return code(err) == "LimitExceeded" }
func isDenied(err error) bool { return code(err) == "AccessDenied" }

// getUser reads a user without what hangs on it; nil if there is none. IAM finds
// names without regard to case: the user may have the name in another spelling.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func getUser(ctx context.Context, client *iam.Client, name string) (*User, error) {
	found, err := client.GetUser(ctx, &iam.GetUserInput{UserName: aws.String(name)})
	if isGone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("get IAM user %s: %w", name, err)
	}
	u := &User{
		Name: aws.ToString(found.User.UserName), ID: aws.ToString(found.User.UserId), ARN: aws.ToString(found.User.Arn),
		Created: aws.ToTime(found.User.CreateDate).UTC(), Tags: map[string]string{},
	}
	if found.User.PasswordLastUsed != nil {
		u.PasswordUsed = found.User.PasswordLastUsed.UTC()
	}
	if found.User.PermissionsBoundary != nil {
		u.Boundary = aws.ToString(found.User.PermissionsBoundary.PermissionsBoundaryArn)
	}
	for _, t := range found.User.Tags {
		u.Tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return u, nil
}

// readUser reads a user with all that hangs on it; nil if there is none.
func readUser(ctx context.Context, client *iam.Client, name string) (*User, error) {
	u, err := getUser(ctx, client, name)
	if err != nil || u == nil {
		return nil, err
	}
	// Each fills fields of its own.
	group, ctx := errgroup.WithContext(ctx)
	for _, read := range []func(context.Context, *iam.Client, *User) error{
		readLogin, readKeys, readMFA, readGroups, readPolicies, readSSHKeys, readCertificates, readCredentials,
	} {
		group.Go(func() error { return read(ctx, client, u) })
	}
	if err := group.Wait(); err != nil {
		if isGone(err) {
			return nil, nil // deleted while we looked
		}
		return nil, fmt.Errorf("look at IAM user %s: %w", name, err)
	}
	return u, nil
}

// glance reads of a user what a quarantine is made of; nil if there is none. What
// of it can't be read it takes from how the user was known before, and returns
// the error beside it.
func glance(ctx context.Context, client *iam.Client, name string, before *User) (*User, error) {
	u, err := getUser(ctx, client, name)
	if err != nil || u == nil {
		return nil, err
	}
	policies, keys := readPolicies(ctx, client, u), readKeys(ctx, client, u)
	if isGone(policies) || isGone(keys) {
		return nil, nil // deleted while we looked
	}
	if policies != nil && before != nil {
		u.Inline, u.Attached = before.Inline, before.Attached
	}
	if keys != nil && before != nil {
		u.Keys = before.Keys
	}
	if err := errors.Join(policies, keys); err != nil {
		return u, fmt.Errorf("look at IAM user %s: %w", name, err)
	}
	return u, nil
}

func readLogin(ctx context.Context, client *iam.Client, u *User) error {
	_, err := client.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: aws.String(u.Name)})
	if isGone(err) {
		return nil
	}
	u.Login = err == nil
	return err
}

func readKeys(ctx context.Context, client *iam.Client, u *User) error {
	pages := iam.NewListAccessKeysPaginator(client, &iam.ListAccessKeysInput{UserName: aws.String(u.Name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, k := range page.AccessKeyMetadata {
			u.Keys = append(u.Keys, Key{ID: aws.ToString(k.AccessKeyId), Active: k.Status == types.StatusTypeActive, Created: aws.ToTime(k.CreateDate).UTC()})
		}
	}
	slices.SortFunc(u.Keys, func(a, b Key) int { return strings.Compare(a.ID, b.ID) })
	return nil
}

// readUses adds when each key was last used: evidence for a plan, no part of
// reading back, where IAM may still list keys that are gone.
func readUses(ctx context.Context, client *iam.Client, u *User) error {
	for i := range u.Keys {
		used, err := client.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: aws.String(u.Keys[i].ID)})
		if isGone(err) {
			continue // deleted while we looked
		}
		if err != nil {
			return fmt.Errorf("look at access key %s: %w", u.Keys[i].ID, err)
		}
		if last := used.AccessKeyLastUsed; last != nil && last.LastUsedDate != nil {
			u.Keys[i].Used, u.Keys[i].Service, u.Keys[i].Region = last.LastUsedDate.UTC(), aws.ToString(last.ServiceName), aws.ToString(last.Region)
		}
	}
	return nil
}

func readMFA(ctx context.Context, client *iam.Client, u *User) error {
	pages := iam.NewListMFADevicesPaginator(client, &iam.ListMFADevicesInput{UserName: aws.String(u.Name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, d := range page.MFADevices {
			u.MFA = append(u.MFA, aws.ToString(d.SerialNumber))
		}
	}
	slices.Sort(u.MFA)
	return nil
}

func readGroups(ctx context.Context, client *iam.Client, u *User) error {
	pages := iam.NewListGroupsForUserPaginator(client, &iam.ListGroupsForUserInput{UserName: aws.String(u.Name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, g := range page.Groups {
			u.Groups = append(u.Groups, aws.ToString(g.GroupName))
		}
	}
	slices.Sort(u.Groups)
	return nil
}

func readPolicies(ctx context.Context, client *iam.Client, u *User) error {
	inline := iam.NewListUserPoliciesPaginator(client, &iam.ListUserPoliciesInput{UserName: aws.String(u.Name)})
	for inline.HasMorePages() {
		page, err := inline.NextPage(ctx)
		if err != nil {
			return err
		}
		u.Inline = append(u.Inline, page.PolicyNames...)
	}
	attached := iam.NewListAttachedUserPoliciesPaginator(client, &iam.ListAttachedUserPoliciesInput{UserName: aws.String(u.Name)})
	for attached.HasMorePages() {
		page, err := attached.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, p := range page.AttachedPolicies {
			u.Attached = append(u.Attached, aws.ToString(p.PolicyArn))
		}
	}
	slices.Sort(u.Inline)
	slices.Sort(u.Attached)
	return nil
}

func readSSHKeys(ctx context.Context, client *iam.Client, u *User) error {
	pages := iam.NewListSSHPublicKeysPaginator(client, &iam.ListSSHPublicKeysInput{UserName: aws.String(u.Name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, k := range page.SSHPublicKeys {
			u.SSHKeys = append(u.SSHKeys, aws.ToString(k.SSHPublicKeyId))
		}
	}
	slices.Sort(u.SSHKeys)
	return nil
}

func readCertificates(ctx context.Context, client *iam.Client, u *User) error {
	pages := iam.NewListSigningCertificatesPaginator(client, &iam.ListSigningCertificatesInput{UserName: aws.String(u.Name)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, c := range page.Certificates {
			u.Certificates = append(u.Certificates, aws.ToString(c.CertificateId))
		}
	}
	slices.Sort(u.Certificates)
	return nil
}

// readCredentials reads the credentials of all services. The SDK has no
// paginator for this list.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListServiceSpecificCredentials.html
func readCredentials(ctx context.Context, client *iam.Client, u *User) error {
	in := &iam.ListServiceSpecificCredentialsInput{UserName: aws.String(u.Name)}
	for {
		page, err := client.ListServiceSpecificCredentials(ctx, in)
		if err != nil {
			return err
		}
		for _, c := range page.ServiceSpecificCredentials {
			u.Credentials = append(u.Credentials, Credential{ID: aws.ToString(c.ServiceSpecificCredentialId), Service: aws.ToString(c.ServiceName)})
		}
		if !page.IsTruncated || page.Marker == nil {
			break
		}
		in.Marker = page.Marker
	}
	slices.SortFunc(u.Credentials, func(a, b Credential) int { return strings.Compare(a.ID, b.ID) })
	return nil
}

// left is what still hangs on the user, by name; deny-all is no burden.
func (u *User) left() []string {
	var left []string
	add := func(what string, names ...string) {
		for _, name := range names {
			left = append(left, what+" "+name)
		}
	}
	if u.Login {
		left = append(left, "the password")
	}
	for _, k := range u.Keys {
		add("access key", k.ID)
	}
	for _, c := range u.Credentials {
		add("service-specific credential", c.ID)
	}
	add("SSH public key", u.SSHKeys...)
	add("signing certificate", u.Certificates...)
	add("MFA device", u.MFA...)
	add("inline policy", u.Inline...)
	add("group", u.Groups...)
	for _, policy := range u.Attached {
		if policy != denyAll {
			add("attached policy", policy)
		}
	}
	if u.Boundary != "" && u.Boundary != denyAll {
		add("permissions boundary", u.Boundary)
	}
	return left
}

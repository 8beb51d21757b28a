package awstest

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// AWSDenyAll is the ARN of the AWS-managed policy that denies everything.
const AWSDenyAll = "arn:aws:iam::aws:policy/AWSDenyAll"

// IAM is the users and groups of one account.
type IAM struct {
	cloud   *Cloud
	account string
	aliases []string
	lag     time.Duration
	now     *iamState
	past    []pastIAM // oldest first
}

// IAMUser is an IAM user with everything that belongs to it, both as a test describes one and as [IAM.User] shows it: then
// all IDs and times are filled in, lists are in the order of their IDs or names, empty ones are nil, and times are in UTC and
// whole seconds. So go-cmp tells whether two of them are the same in every detail.
type IAMUser struct {
	Name string // as it was given; compared without regard to case
	Path string // "" is /
	ID   string // AIDA…; "" makes one

	Created          time.Time // zero is now
	PasswordLastUsed time.Time // zero: never

	Tags     map[string]string
	Boundary string // ARN of the permissions boundary; "" is none

	Login        *LoginProfile // nil: no password
	AccessKeys   []AccessKey
	SSHKeys      []SSHKey
	Certificates []Certificate
	Credentials  []ServiceCredential
	MFA          []MFADevice

	Inline   map[string]string // name of an inline policy to its document
	Attached []string          // ARNs of managed policies
	Groups   []string          // names of groups; AddUser makes those that aren't there
}

// LoginProfile is a user's password.
type LoginProfile struct {
	Created       time.Time // zero is the user's
	ResetRequired bool
}

// AccessKey is a long-lived key. The zero value is an active key that was never used.
type AccessKey struct {
	ID       string // AKIA…; "" makes one
	Inactive bool
	Created  time.Time // zero is the user's

	LastUsed        time.Time // zero: never
	Service, Region string    // what it was last used for, such as "s3" in "eu-west-2"
}

// SSHKey is a public key for CodeCommit.
type SSHKey struct {
	ID       string // APKA…; "" makes one
	Inactive bool
	Uploaded time.Time // zero is when the user was made
}

// Certificate is an X.509 signing certificate.
type Certificate struct {
	ID       string // "" makes one
	Inactive bool
	Uploaded time.Time // zero is when the user was made
}

// ServiceCredential is a service-specific credential.
type ServiceCredential struct {
	ID       string // ACCA…; "" makes one
	Service  string // "" is codecommit.amazonaws.com
	Inactive bool
	Created  time.Time // zero is the user's
}

// MFADevice is a second factor.
type MFADevice struct {
	// Serial tells the kind: arn:aws:iam::ACCOUNT:mfa/NAME is virtual, arn:aws:iam::ACCOUNT:u2f/user/NAME/… is a FIDO key,
	// without arn: it is hardware. "" is a virtual device with the user's name.
	Serial  string
	Enabled time.Time // zero is when the user was made
}

// IAM is the IAM of an account; "" is the Cloud's own. Calls reach the account of the role that makes them.
func (c *Cloud) IAM(account string) *IAM {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.iam(cmp.Or(account, c.opts.Account))
}

func (c *Cloud) iam(account string) *IAM {
	if c.iams == nil {
		c.iams = map[string]*IAM{}
	}
	i := c.iams[account]
	if i == nil {
		i = &IAM{cloud: c, account: account, now: &iamState{
			users: map[string]*IAMUser{}, groups: map[string]*iamGroup{},
			devices: map[string]bool{}, policies: map[string]bool{AWSDenyAll: true},
		}}
		c.iams[account] = i
	}
	return i
}

// AddUser adds a user with everything that is described, and returns it as User does. Groups, managed policies and virtual
// MFA devices that it names are made too. One that IAM wouldn't have is named in Problems.
func (i *IAM) AddUser(u IAMUser) IAMUser {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	if i.now.user(u.Name) != nil {
		i.cloud.problem("add user %s: exists", u.Name)
	}
	return i.put(u.clone())
}

// ChangeUser lets change have its way with a user, as somebody else might at any time: change gets the user as it is, and
// what it leaves is completed as by AddUser. Renaming isn't possible. change must not call the Cloud.
func (i *IAM) ChangeUser(name string, change func(*IAMUser)) {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	u := i.now.user(name)
	if u == nil {
		i.cloud.problem("change user %s: no such user", name)
		return
	}
	changed := u.clone()
	change(changed)
	changed.Name, changed.ID = u.Name, u.ID
	i.put(changed)
}

// User is the user as it is, whatever SetLag hides; ok is false when there is none.
func (i *IAM) User(name string) (user IAMUser, ok bool) {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	u := i.now.user(name)
	if u == nil {
		return IAMUser{}, false
	}
	return *u.clone(), true
}

// Users are the names of all users, sorted.
func (i *IAM) Users() []string {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	var names []string
	for _, u := range i.now.users {
		names = append(names, u.Name)
	}
	slices.Sort(names)
	return names
}

// Members are the names of the users in a group, sorted.
func (i *IAM) Members(group string) []string {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	var names []string
	for _, u := range i.now.users {
		if containsFold(u.Groups, group) {
			names = append(names, u.Name)
		}
	}
	slices.Sort(names)
	return names
}

// VirtualDevices are the serial numbers of all virtual MFA devices, those that belong to nobody among them, sorted.
func (i *IAM) VirtualDevices() []string {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	return slices.Sorted(maps.Keys(i.now.devices))
}

// DeleteUser removes a user and all that belongs to it, as the console does; none of that name is no problem.
func (i *IAM) DeleteUser(name string) {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	if u := i.now.user(name); u != nil {
		i.change()
		for _, d := range u.MFA {
			delete(i.now.devices, d.Serial)
		}
		delete(i.now.users, strings.ToLower(u.Name))
	}
}

// RenameUser gives a user another name, as people do with the API: it keeps its ID and all that hangs on it. It panics where
// there's no such user or the new name is taken.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateUser.html
func (i *IAM) RenameUser(name, to string) {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	u, other := i.now.user(name), i.now.user(to)
	if u == nil || other != nil && other != u {
		panic(fmt.Sprintf("awstest: RenameUser: no user %q, or %q is taken", name, to))
	}
	delete(i.now.users, strings.ToLower(name))
	renamed := u.clone()
	renamed.Name = to
	i.put(renamed)
}

// RemoveUser removes a user as Terraform does when an aws_iam_user with force_destroy goes: groups, access keys, SSH keys,
// MFA devices, login profile, certificates and service-specific credentials first, then the user. It doesn't touch inline and
// attached policies: a user that has one, AWSDenyAll included, stays behind without the rest, and the error is the
// DeleteConflict that the apply ends with. None of that name is no error.
// https://github.com/hashicorp/terraform-provider-aws/blob/main/internal/service/iam/user.go
func (i *IAM) RemoveUser(name string) error {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	u := i.now.user(name)
	if u == nil {
		return nil
	}
	i.change()
	for _, d := range u.MFA {
		delete(i.now.devices, d.Serial)
	}
	u.Groups, u.AccessKeys, u.SSHKeys, u.MFA, u.Login, u.Certificates, u.Credentials = nil, nil, nil, nil, nil, nil, nil
	if f := u.conflict(); f != nil {
		return f
	}
	delete(i.now.users, strings.ToLower(u.Name))
	return nil
}

// Powerless tells whether the user is there, has AWSDenyAll attached or as permissions boundary, and no active access key.
func (i *IAM) Powerless(name string) bool {
	u, ok := i.User(name)
	return ok && (slices.Contains(u.Attached, AWSDenyAll) || u.Boundary == AWSDenyAll) &&
		!slices.ContainsFunc(u.AccessKeys, func(k AccessKey) bool { return !k.Inactive })
}

// AddGroup adds groups. A name may begin with a path: /teams/platform.
func (i *IAM) AddGroup(names ...string) {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	i.change()
	for _, n := range names {
		i.addGroup(n)
	}
}

// AddPolicy makes managed policies known by ARN, so that they can be attached.
func (i *IAM) AddPolicy(arns ...string) {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	for _, arn := range arns {
		i.now.policies[arn] = true
	}
}

// SetAlias sets the account's alias; "" takes it away.
func (i *IAM) SetAlias(alias string) {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	i.aliases = nil
	if alias != "" {
		i.aliases = []string{alias}
	}
}

// SetLag makes IAM eventually consistent: what Get and List calls show is as it was d ago by the Cloud's clock. 0, as it is at
// first, shows everything at once. Changes, their conflicts and [IAM.User] always go by what is.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
func (i *IAM) SetLag(d time.Duration) {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	i.lag, i.past = d, nil
}

var iamName = regexp.MustCompile(`^[\w+=,.@-]{1,64}$`)

// put completes u and makes it the user of its name.
func (i *IAM) put(u *IAMUser) IAMUser {
	i.change()
	if !iamName.MatchString(u.Name) {
		i.cloud.problem("user %q: a name is 1 to 64 letters, digits and _+=,.@-", u.Name)
	}
	u.complete(i)
	for _, arn := range slices.DeleteFunc(append(slices.Clone(u.Attached), u.Boundary), func(arn string) bool { return arn == "" }) {
		if parts, ok := arnParts(arn); !ok || parts[2] != "iam" || !strings.HasPrefix(parts[5], "policy/") {
			i.cloud.problem("user %s: %q is not the ARN of a policy", u.Name, arn)
		}
		i.now.policies[arn] = true
	}
	for n, group := range u.Groups {
		u.Groups[n] = i.addGroup(group)
	}
	for _, d := range u.MFA {
		if other := i.now.owner(d.Serial); other != nil && !strings.EqualFold(other.Name, u.Name) {
			i.cloud.problem("user %s: the MFA device %s is %s's", u.Name, d.Serial, other.Name)
		}
		if isVirtual(d.Serial) {
			i.now.devices[d.Serial] = true
		}
	}
	i.now.users[strings.ToLower(u.Name)] = u
	return *u.clone()
}

// addGroup makes a group where there is none and returns its name without the path.
func (i *IAM) addGroup(full string) string {
	slash := strings.LastIndex(full, "/")
	name := full[slash+1:]
	if g := i.now.groups[strings.ToLower(name)]; g != nil {
		return g.Name
	}
	i.now.groups[strings.ToLower(name)] = &iamGroup{
		Name: name, Path: cmp.Or(full[:slash+1], "/"),
		ID: stableID("AGPA", i.account, name), Created: i.stamp(),
	}
	return name
}

func (i *IAM) stamp() time.Time { return i.cloud.now().UTC().Truncate(time.Second) }

func isVirtual(serial string) bool { return strings.Contains(serial, ":mfa/") }

func containsFold(all []string, s string) bool {
	return slices.ContainsFunc(all, func(one string) bool { return strings.EqualFold(one, s) })
}

// stableID is an ID as IAM makes them, always the same for the same words.
func stableID(prefix string, words ...string) string {
	length := 17
	if prefix == "AKIA" {
		length = 16
	}
	return prefix + strings.ToUpper(hexSum([]byte(strings.Join(words, "\x00")))[:length])
}

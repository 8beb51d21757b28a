package awstest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// iamState is what one account's IAM holds. Names are keys in lower case: IAM doesn't tell them apart by case.
type iamState struct {
	users    map[string]*IAMUser
	groups   map[string]*iamGroup
	devices  map[string]bool // virtual MFA devices by serial number
	policies map[string]bool // managed policies by ARN
}

type iamGroup struct {
	Name, Path, ID string
	Created        time.Time
}

// pastIAM is a state that was, until a time.
type pastIAM struct {
	until time.Time
	state *iamState
}

// change is called before every change: it keeps e's place and tags for as long as reads may still show them. The caller holds the lock.
func (i *IAM) change() {
	i.cloud.touch()
	if i.lag <= 0 {
		return
	}
	now := i.cloud.now()
	i.past = slices.DeleteFunc(i.past, func(p pastIAM) bool { return !p.until.After(now.Add(-i.lag)) })
	i.past = append(i.past, pastIAM{now, i.now.clone()})
}

// seen is the state that Get and List calls show.
func (i *IAM) seen() *iamState {
	at := i.cloud.now().Add(-i.lag)
	for _, p := range i.past {
		if p.until.After(at) {
			return p.state
		}
	}
	return i.now
}

func (s *iamState) clone() *iamState {
	c := &iamState{users: map[string]*IAMUser{}, groups: maps.Clone(s.groups), devices: maps.Clone(s.devices), policies: maps.Clone(s.policies)}
	for name, u := range s.users {
		c.users[name] = u.clone()
	}
	return c
}

func (s *iamState) user(name string) *IAMUser   { return s.users[strings.ToLower(name)] }
func (s *iamState) group(name string) *iamGroup { return s.groups[strings.ToLower(name)] }

// owner is the user that an MFA device is enabled for.
func (s *iamState) owner(serial string) *IAMUser {
	for _, u := range s.users {
		if slices.ContainsFunc(u.MFA, func(d MFADevice) bool { return d.Serial == serial }) {
			return u
		}
	}
	return nil
}

// keyOwner is the user that an access key belongs to.
func (s *iamState) keyOwner(id string) (*IAMUser, *AccessKey) {
	for _, u := range s.users {
		if k := u.accessKey(id); k != nil {
			return u, k
		}
	}
	return nil, nil
}

func (u *IAMUser) accessKey(id string) *AccessKey {
	if n := slices.IndexFunc(u.AccessKeys, func(k AccessKey) bool { return k.ID == id }); n >= 0 {
		return &u.AccessKeys[n]
	}
	return nil
}

func (u *IAMUser) arn(account string) string {
	return "arn:aws:iam::" + account + ":user" + u.Path + u.Name
}

func (g *iamGroup) arn(account string) string {
	return "arn:aws:iam::" + account + ":group" + g.Path + g.Name
}

// clone is a copy that shares nothing, in the order and form that IAMUser promises.
func (u *IAMUser) clone() *IAMUser {
	c := *u
	c.Created, c.PasswordLastUsed = whole(u.Created), whole(u.PasswordLastUsed)
	c.Tags, c.Inline = cloneMap(u.Tags), cloneMap(u.Inline)
	if u.Login != nil {
		c.Login = &LoginProfile{Created: whole(u.Login.Created), ResetRequired: u.Login.ResetRequired}
	}
	c.AccessKeys = sorted(u.AccessKeys, func(k AccessKey) string { return k.ID })
	c.SSHKeys = sorted(u.SSHKeys, func(k SSHKey) string { return k.ID })
	c.Certificates = sorted(u.Certificates, func(k Certificate) string { return k.ID })
	c.Credentials = sorted(u.Credentials, func(k ServiceCredential) string { return k.ID })
	c.MFA = sorted(u.MFA, func(d MFADevice) string { return d.Serial })
	c.Attached = sorted(u.Attached, func(s string) string { return s })
	c.Groups = sorted(u.Groups, func(s string) string { return s })
	return &c
}

// complete fills in what a description leaves out.
func (u *IAMUser) complete(i *IAM) {
	u.Path = cmp.Or(u.Path, "/")
	u.ID = cmp.Or(u.ID, stableID("AIDA", i.account, u.Name))
	if u.Created.IsZero() {
		u.Created = i.cloud.now()
	}
	since := func(t *time.Time) {
		if t.IsZero() {
			*t = u.Created
		}
		*t = whole(*t)
	}
	id := func(s *string, prefix string, n int) {
		*s = cmp.Or(*s, stableID(prefix, i.account, u.Name, fmt.Sprint(n, i.cloud.next())))
	}
	since(&u.Created)
	u.PasswordLastUsed = whole(u.PasswordLastUsed)
	if u.Login != nil {
		since(&u.Login.Created)
	}
	for n := range u.AccessKeys {
		k := &u.AccessKeys[n]
		id(&k.ID, "AKIA", n)
		since(&k.Created)
		k.LastUsed = whole(k.LastUsed)
	}
	for n := range u.SSHKeys {
		id(&u.SSHKeys[n].ID, "APKA", n)
		since(&u.SSHKeys[n].Uploaded)
	}
	for n := range u.Certificates {
		id(&u.Certificates[n].ID, "CERTIFICATE", n)
		since(&u.Certificates[n].Uploaded)
	}
	for n := range u.Credentials {
		id(&u.Credentials[n].ID, "ACCA", n)
		since(&u.Credentials[n].Created)
		u.Credentials[n].Service = cmp.Or(u.Credentials[n].Service, "codecommit.amazonaws.com")
	}
	for n := range u.MFA {
		u.MFA[n].Serial = cmp.Or(u.MFA[n].Serial, "arn:aws:iam::"+i.account+":mfa/"+u.Name)
		since(&u.MFA[n].Enabled)
	}
}

// whole is t as IAM keeps times; the zero time stays zero.
func whole(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Second)
}

func cloneMap(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return maps.Clone(m)
}

func sorted[T any](all []T, key func(T) string) []T {
	if len(all) == 0 {
		return nil
	}
	return slices.SortedStableFunc(slices.Values(all), func(a, b T) int { return cmp.Compare(key(a), key(b)) })
}

package awstest

import (
	"slices"
	"time"
)

// ID is the ID of the Organization: o-a1b2c3d4e5.
func (o *Organization) ID() string { return o.id }

// Root is the ID of the root, which everything else is under.
func (o *Organization) Root() string {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	return o.root.id
}

// maxDepth is how many OUs can be inside one another.
const maxDepth = 5

// AddOU adds an OU under a root or an OU, where "" is the root, and returns its ID. One that AWS wouldn't have is named in
// Problems.
func (o *Organization) AddOU(name, parent string) string {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	in := o.container(parent)
	if parent == "" {
		in = o.root
	}
	fault := ""
	switch {
	case in == nil:
		fault = "no root or OU " + parent
	case name == "" || len(name) > 128:
		fault = "a name has 1 to 128 characters"
	case slices.ContainsFunc(o.units, func(u *orgEntity) bool { return u.parent == in && u.name == name }):
		fault = in.id + " has one of this name"
	case len(in.path()) > maxDepth:
		fault = "too many OUs inside one another"
	}
	if fault != "" {
		o.cloud.problem("add OU %q: %s", name, fault)
		return ""
	}
	id := "ou-" + o.root.id[2:] + "-" + hexSum([]byte(in.id + "\x00" + name))[:8]
	u := o.enter(&orgEntity{kind: "ou", id: id, name: name, parent: in})
	o.units = append(o.units, u)
	return id
}

// RemoveOU takes an OU out of the Organization. Like AWS it leaves one that has something in it, and that is named in Problems.
// https://docs.aws.amazon.com/organizations/latest/APIReference/API_DeleteOrganizationalUnit.html
func (o *Organization) RemoveOU(id string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	u := o.entities[id]
	switch {
	case u == nil || u.kind != "ou":
		o.cloud.problem("remove OU %s: there is none", id)
	case len(o.in(u))+len(o.under(u)) > 0:
		o.cloud.problem("remove OU %s: it isn't empty", id)
	default:
		o.units = slices.DeleteFunc(o.units, func(other *orgEntity) bool { return other == u })
		delete(o.entities, id)
		o.cloud.touch()
	}
}

// Move moves an account by somebody else's hand.
func (o *Organization) Move(account, parent string) {
	o.ChangeAccount(account, func(a *OrgAccount) { a.Parent = parent })
}

// TagOU gives the root or an OU these tags instead of those that it has.
func (o *Organization) TagOU(id string, tags map[string]string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	if e := o.container(id); e != nil {
		e.tags = cloneMap(tags)
	} else {
		o.cloud.problem("tag %s: no such root or OU", id)
	}
}

// delegatedService is a service that an account is a delegated administrator for.
type delegatedService struct {
	principal string // such as sso.amazonaws.com
	since     time.Time
}

// identityCenter is what Delegate delegates.
const identityCenter = "sso.amazonaws.com"

// Delegate makes member accounts delegated administrators of IAM Identity Center, which may read as the management account does.
func (o *Organization) Delegate(ids ...string) {
	for _, id := range ids {
		o.RegisterDelegatedAdministrator(id, identityCenter)
	}
}

// RegisterDelegatedAdministrator makes a member account a delegated administrator of services, named as principals:
// "guardduty.amazonaws.com". Whoever is one of any service may read all that there is in the Organization.
func (o *Organization) RegisterDelegatedAdministrator(id string, services ...string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	a := o.theAccount(id, "delegate to")
	if a == nil {
		return
	}
	if id == o.management {
		o.cloud.problem("delegate to account %s: it is the management account", id)
	}
	for _, s := range services {
		if !servicePrincipal.MatchString(s) {
			o.cloud.problem("delegate to account %s: %q is not the principal of a service", id, s)
		}
		if !a.administers(s) {
			a.services = append(a.services, delegatedService{s, whole(o.cloud.now())})
		}
	}
	o.cloud.touch()
}

// DeregisterDelegatedAdministrator takes services away from a delegated administrator; none named is all of them.
func (o *Organization) DeregisterDelegatedAdministrator(id string, services ...string) {
	o.cloud.mu.Lock()
	defer o.cloud.mu.Unlock()
	if a := o.theAccount(id, "take services from"); a != nil {
		a.services = slices.DeleteFunc(a.services, func(d delegatedService) bool {
			return len(services) == 0 || slices.Contains(services, d.principal)
		})
		o.cloud.touch()
	}
}

// administers tells whether the account is a delegated administrator of a service; "" is any.
func (a *orgAccount) administers(service string) bool {
	return slices.ContainsFunc(a.services, func(d delegatedService) bool { return service == "" || d.principal == service })
}

// container is the root or an OU; nil when the ID is of neither.
func (o *Organization) container(id string) *orgEntity {
	if e := o.entities[id]; e != nil && e.account == nil {
		return e
	}
	return nil
}

// path is the way from the root to e, both included.
func (e *orgEntity) path() []*orgEntity {
	if e.parent == nil {
		return []*orgEntity{e}
	}
	return append(e.parent.path(), e)
}

// pathText is the path as Organizations shows it: o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/
func (o *Organization) pathText(e *orgEntity) string {
	text := o.id + "/"
	for _, step := range e.path() {
		text += step.id + "/"
	}
	return text
}

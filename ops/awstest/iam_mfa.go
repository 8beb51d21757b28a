package awstest

import (
	"slices"
	"strings"
	"time"
)

type deviceInput struct {
	SerialNumber string `query:"required"`
}

type userDeviceInput struct {
	iamUserInput
	deviceInput
}

type xmlDevice struct {
	UserName, SerialNumber string
	EnableDate             time.Time
}

type deviceList struct {
	MFADevices []xmlDevice `xml:"MFADevices>member"`
	iamPaged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListMFADevices.html
func listMFADevices(r *request, i *IAM, in *iamUserPageInput) (any, error) {
	u, err := i.shown(in.UserName)
	if err != nil {
		return nil, err
	}
	items, end, err := iamPage(r, in.iamPageInput, u.MFA, func(d MFADevice) string { return d.Serial })
	out := deviceList{iamPaged: end}
	for _, d := range items {
		out.MFADevices = append(out.MFADevices, xmlDevice{u.Name, d.Serial, d.Enabled})
	}
	return out, err
}

// getMFADevice knows FIDO keys only.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetMFADevice.html
func getMFADevice(_ *request, i *IAM, in *userDeviceInput) (any, error) {
	u, err := i.shown(in.UserName)
	if err != nil {
		return nil, err
	}
	for _, d := range u.MFA {
		if d.Serial == in.SerialNumber && strings.Contains(d.Serial, ":u2f/") {
			return xmlDevice{u.Name, d.Serial, d.Enabled}, nil
		}
	}
	return nil, noEntity("MFA device with serial number %s does not exist.", in.SerialNumber)
}

// deactivateMFADevice takes a device from its user. A virtual one stays in the account, belonging to nobody.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeactivateMFADevice.html
func deactivateMFADevice(_ *request, i *IAM, in *userDeviceInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	return nil, remove(i, &u.MFA, func(d MFADevice) bool { return d.Serial == in.SerialNumber },
		"MFA device with serial number %s does not exist.", in.SerialNumber)
}

type virtualListInput struct {
	AssignmentStatus string
	iamPageInput
}

type xmlVirtual struct {
	SerialNumber string
	EnableDate   *time.Time
	User         *xmlUser
}

type virtualList struct {
	VirtualMFADevices []xmlVirtual `xml:"VirtualMFADevices>member"`
	iamPaged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListVirtualMFADevices.html
func listVirtualMFADevices(r *request, i *IAM, in *virtualListInput) (any, error) {
	state := i.seen()
	var all []string
	for serial := range state.devices {
		assigned := state.owner(serial) != nil
		if in.AssignmentStatus == "Assigned" && !assigned || in.AssignmentStatus == "Unassigned" && assigned {
			continue
		}
		all = append(all, serial)
	}
	items, end, err := iamPage(r, in.iamPageInput, all, func(s string) string { return s })
	out := virtualList{iamPaged: end}
	for _, serial := range items {
		d := xmlVirtual{SerialNumber: serial}
		if u := state.owner(serial); u != nil {
			shown := u.xml(i)
			d.User = &shown
			n := slices.IndexFunc(u.MFA, func(d MFADevice) bool { return d.Serial == serial })
			d.EnableDate = xmlTime(u.MFA[n].Enabled)
		}
		out.VirtualMFADevices = append(out.VirtualMFADevices, d)
	}
	return out, err
}

// deleteVirtualMFADevice removes a device that belongs to nobody any more.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteVirtualMFADevice.html
func deleteVirtualMFADevice(_ *request, i *IAM, in *deviceInput) (any, error) {
	switch {
	case !i.now.devices[in.SerialNumber]:
		return nil, noEntity("VirtualMFADevice with serial number %s doesn't exist.", in.SerialNumber)
	case i.now.owner(in.SerialNumber) != nil:
		return nil, fail(409, "DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.")
	}
	i.change()
	delete(i.now.devices, in.SerialNumber)
	return nil, nil
}

package awstest

import (
	"slices"
	"time"
)

type accessKeyInput struct {
	AccessKeyId string `query:"required"`
}

type userKeyInput struct {
	iamUserInput
	AccessKeyId string `query:"required"`
}

type xmlAccessKey struct {
	UserName, AccessKeyId, Status string
	SecretAccessKey               string `xml:",omitempty"`
	CreateDate                    time.Time
}

const maxAccessKeys = 2

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html
func createAccessKey(_ *request, i *IAM, in *iamUserInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	if len(u.AccessKeys) >= maxAccessKeys {
		return nil, overQuota("AccessKeysPerUser", maxAccessKeys)
	}
	i.change()
	k := AccessKey{ID: randomKeyID("AKIA"), Created: i.stamp()}
	u.AccessKeys = append(u.AccessKeys, k)
	return struct{ AccessKey xmlAccessKey }{xmlAccessKey{u.Name, k.ID, "Active", randomSecret(30), k.Created}}, nil
}

type accessKeyList struct {
	AccessKeyMetadata []xmlAccessKey `xml:"AccessKeyMetadata>member"`
	iamPaged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html
func listAccessKeys(r *request, i *IAM, in *iamUserPageInput) (any, error) {
	u, err := i.shown(in.UserName)
	if err != nil {
		return nil, err
	}
	items, end, err := iamPage(r, in.iamPageInput, u.AccessKeys, func(k AccessKey) string { return k.ID })
	out := accessKeyList{iamPaged: end}
	for _, k := range items {
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, xmlAccessKey{u.Name, k.ID, status(k.Inactive), "", k.Created})
	}
	return out, err
}

type xmlLastUsed struct {
	LastUsedDate        *time.Time
	ServiceName, Region string
}

// getAccessKeyLastUsed says N/A for a key that was never used.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html
func getAccessKeyLastUsed(_ *request, i *IAM, in *accessKeyInput) (any, error) {
	u, k := i.seen().keyOwner(in.AccessKeyId)
	if k == nil {
		return nil, noEntity("The Access Key with id %s cannot be found.", in.AccessKeyId)
	}
	used := xmlLastUsed{nil, "N/A", "N/A"}
	if !k.LastUsed.IsZero() {
		used = xmlLastUsed{&k.LastUsed, k.Service, k.Region}
	}
	return struct {
		UserName          string
		AccessKeyLastUsed xmlLastUsed
	}{u.Name, used}, nil
}

type updateKeyInput struct {
	userKeyInput
	Status string `query:"required"`
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html
func updateAccessKey(_ *request, i *IAM, in *updateKeyInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	k := u.accessKey(in.AccessKeyId)
	if k == nil {
		return nil, noEntity("The Access Key with id %s cannot be found.", in.AccessKeyId)
	}
	i.change()
	k.Inactive = in.Status == "Inactive"
	return nil, nil
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html
func deleteAccessKey(_ *request, i *IAM, in *userKeyInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	return nil, remove(i, &u.AccessKeys, func(k AccessKey) bool { return k.ID == in.AccessKeyId },
		"The Access Key with id %s cannot be found.", in.AccessKeyId)
}

// remove takes the one that is meant out of a user's list, or says in the given words that there is none.
func remove[T any](i *IAM, all *[]T, is func(T) bool, format, name string) error {
	if !slices.ContainsFunc(*all, is) {
		return noEntity(format, name)
	}
	i.change()
	*all = slices.DeleteFunc(*all, is)
	return nil
}

type createLoginInput struct {
	iamUserInput
	Password              string
	PasswordResetRequired bool
}

type xmlLogin struct {
	UserName              string
	CreateDate            time.Time
	PasswordResetRequired bool
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateLoginProfile.html
func createLoginProfile(_ *request, i *IAM, in *createLoginInput) (any, error) {
	u, err := i.target(in.UserName)
	switch {
	case err != nil:
		return nil, err
	case u.Login != nil:
		return nil, fail(409, "EntityAlreadyExists", "Login Profile for user %s already exists.", u.Name)
	case len(in.Password) < 8:
		return nil, fail(400, "PasswordPolicyViolation", "Password should have a minimum length of 8")
	}
	i.change()
	u.Login = &LoginProfile{Created: i.stamp(), ResetRequired: in.PasswordResetRequired}
	return u.xmlLogin(), nil
}

func (u *IAMUser) xmlLogin() any {
	return struct{ LoginProfile xmlLogin }{xmlLogin{u.Name, u.Login.Created, u.Login.ResetRequired}}
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetLoginProfile.html
func getLoginProfile(_ *request, i *IAM, in *iamUserInput) (any, error) {
	u, err := i.shown(in.UserName)
	switch {
	case err != nil:
		return nil, err
	case u.Login == nil:
		return nil, noEntity("Login Profile for User %s cannot be found.", in.UserName)
	}
	return u.xmlLogin(), nil
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteLoginProfile.html
func deleteLoginProfile(_ *request, i *IAM, in *iamUserInput) (any, error) {
	u, err := i.target(in.UserName)
	switch {
	case err != nil:
		return nil, err
	case u.Login == nil:
		return nil, noEntity("Login Profile for User %s cannot be found.", in.UserName)
	}
	i.change()
	u.Login = nil
	return nil, nil
}

type xmlSSHKey struct {
	UserName, SSHPublicKeyId, Status string
	UploadDate                       time.Time
}

type sshKeyList struct {
	SSHPublicKeys []xmlSSHKey `xml:"SSHPublicKeys>member"`
	iamPaged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListSSHPublicKeys.html
func listSSHKeys(r *request, i *IAM, in *iamUserPageInput) (any, error) {
	u, err := i.shown(in.UserName)
	if err != nil {
		return nil, err
	}
	items, end, err := iamPage(r, in.iamPageInput, u.SSHKeys, func(k SSHKey) string { return k.ID })
	out := sshKeyList{iamPaged: end}
	for _, k := range items {
		out.SSHPublicKeys = append(out.SSHPublicKeys, xmlSSHKey{u.Name, k.ID, status(k.Inactive), k.Uploaded})
	}
	return out, err
}

type deleteSSHKeyInput struct {
	iamUserInput
	SSHPublicKeyId string `query:"required"`
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteSSHPublicKey.html
func deleteSSHKey(_ *request, i *IAM, in *deleteSSHKeyInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	return nil, remove(i, &u.SSHKeys, func(k SSHKey) bool { return k.ID == in.SSHPublicKeyId },
		"The Public Key with id %s cannot be found.", in.SSHPublicKeyId)
}

type xmlCertificate struct {
	UserName, CertificateId, CertificateBody, Status string
	UploadDate                                       time.Time
}

type certificateList struct {
	Certificates []xmlCertificate `xml:"Certificates>member"`
	iamPaged
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListSigningCertificates.html
func listCertificates(r *request, i *IAM, in *iamUserPageInput) (any, error) {
	u, err := i.shown(in.UserName)
	if err != nil {
		return nil, err
	}
	items, end, err := iamPage(r, in.iamPageInput, u.Certificates, func(k Certificate) string { return k.ID })
	out := certificateList{iamPaged: end}
	for _, k := range items {
		out.Certificates = append(out.Certificates, xmlCertificate{
			u.Name, k.ID,
			"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", status(k.Inactive), k.Uploaded,
		})
	}
	return out, err
}

type deleteCertificateInput struct {
	iamUserInput
	CertificateId string `query:"required"`
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteSigningCertificate.html
func deleteCertificate(_ *request, i *IAM, in *deleteCertificateInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	return nil, remove(i, &u.Certificates, func(k Certificate) bool { return k.ID == in.CertificateId },
		"The Certificate with id %s cannot be found.", in.CertificateId)
}

type credentialListInput struct {
	iamUserPageInput
	ServiceName string
	AllUsers    bool
}

type xmlCredential struct {
	UserName, Status, ServiceUserName, ServiceSpecificCredentialId, ServiceName string
	CreateDate                                                                  time.Time
}

type credentialList struct {
	ServiceSpecificCredentials []xmlCredential `xml:"ServiceSpecificCredentials>member"`
	iamPaged
}

// listCredentials shows those of one user or of all, of one service or of all.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListServiceSpecificCredentials.html
func listCredentials(r *request, i *IAM, in *credentialListInput) (any, error) {
	users := i.seen().users
	switch {
	case in.AllUsers && in.UserName != "":
		return nil, iamInvalid("UserName and AllUsers cannot be specified together.")
	case !in.AllUsers:
		u, err := i.shown(in.UserName)
		if err != nil {
			return nil, err
		}
		users = map[string]*IAMUser{"": u}
	}
	var all []xmlCredential
	for _, u := range users {
		for _, k := range u.Credentials {
			if in.ServiceName == "" || in.ServiceName == k.Service {
				all = append(all, xmlCredential{u.Name, status(k.Inactive), u.Name + "-at-" + i.account, k.ID, k.Service, k.Created})
			}
		}
	}
	items, end, err := iamPage(r, in.iamPageInput, all, func(k xmlCredential) string { return k.ServiceSpecificCredentialId })
	return credentialList{items, end}, err
}

type deleteCredentialInput struct {
	iamUserInput
	ServiceSpecificCredentialId string `query:"required"`
}

// https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteServiceSpecificCredential.html
func deleteCredential(_ *request, i *IAM, in *deleteCredentialInput) (any, error) {
	u, err := i.target(in.UserName)
	if err != nil {
		return nil, err
	}
	return nil, remove(i, &u.Credentials, func(k ServiceCredential) bool { return k.ID == in.ServiceSpecificCredentialId },
		"The service-specific credential with id %s cannot be found.", in.ServiceSpecificCredentialId)
}

"""Refusals of the media feature."""

from memi.platform.errors import AppError


class UploadNotReceived(AppError):
    code, status, title = "upload_not_received", 409, "The file has not arrived; put it to the upload's URL first."


class BadUploadSignature(AppError):
    code, status, title = "invalid_upload_signature", 403, "This upload URL was not given by this service."


class UploadUrlExpired(AppError):
    code, status, title = "upload_url_expired", 403, "This upload URL has expired; ask for a new upload."


class UploadTypeMismatch(AppError):
    code, status, title = "upload_type_mismatch", 403, "The Content-Type is not the one this URL was made for."


class UploadLengthMismatch(AppError):
    code, status, title = "upload_length_mismatch", 403, "The Content-Length is not the one this URL was made for."


class BadDownloadSignature(AppError):
    code, status, title = "invalid_download_signature", 403, "This download URL was not given by this service."


class DownloadUrlExpired(AppError):
    code, status, title = "download_url_expired", 403, "This download URL has expired; ask for a new one."

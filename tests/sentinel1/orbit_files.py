"""Orbit files made of state vectors at hand."""

from datetime import timedelta


def orbit_file(orbit, epoch, aside_m=0.0):
    """A precise orbit file with the given state vectors, moved along x."""
    vector = "<OSV><UTC>UTC={}</UTC><X>{}</X><Y>{}</Y><Z>{}</Z><VX>{}</VX><VY>{}</VY><VZ>{}</VZ></OSV>"
    found = "".join(
        vector.format((epoch + timedelta(seconds=t)).isoformat()[:-6], x + aside_m, y, z, *v)
        for t, (x, y, z), v in zip(orbit.time_s, orbit.position_m, orbit.velocity_m_s, strict=True)
    )
    header = (
        "<Fixed_Header><File_Type>AUX_POEORB</File_Type></Fixed_Header>"
        "<Variable_Header><Ref_Frame>EARTH_FIXED</Ref_Frame></Variable_Header>"
    )
    return (
        f"<Earth_Explorer_File><Earth_Explorer_Header>{header}</Earth_Explorer_Header><Data_Block><List_of_OSVs>"
        f"{found}</List_of_OSVs></Data_Block></Earth_Explorer_File>"
    ).encode()
